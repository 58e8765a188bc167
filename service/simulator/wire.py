"""Puts an answer on the wire: whole, in part, or not at all."""

import asyncio
import socket
import struct

from aiohttp import web

from service.simulator.answer import Answer
from service.simulator.reaction import Ending

# Seconds to linger 0: closing then sends RST instead of FIN.
_NO_LINGER = struct.pack("ii", 1, 0)


async def send(request: web.Request, answer: Answer, ending: Ending) -> web.StreamResponse:
    """End the exchange as the ending says."""
    match ending:
        case Ending.WHOLE:
            return _whole(answer)
        case Ending.HALF:
            return await _half(request, answer)
        case Ending.CLOSE | Ending.CLOSE_BEFORE:
            _transport(request).close()
        case Ending.RESET | Ending.RESET_BEFORE:
            _reset(_transport(request))
    # The connection is gone; the framework drops what is returned here.
    return web.Response()


def _whole(answer: Answer) -> web.Response:
    return web.Response(
        status=answer.status,
        body=answer.body,
        headers={**answer.headers, "Content-Type": answer.content_type},
    )


async def _half(request: web.Request, answer: Answer) -> web.StreamResponse:
    response = web.StreamResponse(status=answer.status, headers={**answer.headers, "Content-Type": answer.content_type})
    response.content_length = len(answer.body)
    await response.prepare(request)
    await response.write(answer.body[: len(answer.body) // 2])
    _transport(request).close()
    return response


def _transport(request: web.Request) -> asyncio.Transport:
    transport = request.transport
    if transport is None:
        raise ConnectionResetError("the client is gone")
    assert isinstance(transport, asyncio.Transport)
    return transport


def _reset(transport: asyncio.Transport) -> None:
    connection: socket.socket = transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    transport.abort()
