"""httpx requests over aiohttp's connections, telling how far each of them got.

httpx's own pool looks at every connection for every request; aiohttp's does not, and parses in C. What we need of a
transport beyond speed is a proof: aiohttp hands a connection over before a first byte of the request may leave, so
whatever fails until then was surely not sent (`docs/decisions/0012-transport.md`).
"""

import re
import select
import ssl
from collections.abc import AsyncIterator
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

import aiohttp
import httpx
from typing_extensions import override
from yarl import URL

from service.adapters.proxy import Proxy
from service.adapters.send_phase import Phase, SendPhase

if TYPE_CHECKING:
    from aiohttp.connector import Connection

PHASE = "phase"
"""The extension of a request that holds its `SendPhase`."""

_LONGEST_HEADER = 65_536
# RFC 9110 section 5.5: no control characters, no blanks at either end.
_ILLEGAL = re.compile(rb"[\0\r\n]|\A[ \t]|[ \t]\Z")
_sending: ContextVar[SendPhase] = ContextVar("sending")


class AiohttpTransport(httpx.AsyncBaseTransport):
    """Sends requests that name their `SendPhase`. Any number at once: who may start is decided elsewhere.

    Idle connections are kept for `keepalive` seconds. A request that fails raises what httpx has for it. Redirects are
    not followed, cookies not kept, nothing is sent a second time, and bodies come as they are, compressed or not.
    """

    def __init__(self, tls: ssl.SSLContext, connect_timeout: float, keepalive: float, proxy: Proxy | None) -> None:
        self._proxy = proxy
        self._session = aiohttp.ClientSession(
            connector=_TellingConnector(ssl=tls, limit=0, keepalive_timeout=keepalive),
            # The limit for a whole call is the caller's.
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=connect_timeout),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            max_line_size=_LONGEST_HEADER,
            max_field_size=_LONGEST_HEADER,
        )

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        sent: SendPhase = request.extensions[PHASE]
        headers = _text(request.headers.raw)
        sent.reached(Phase.HANDED_OVER)
        _sending.set(sent)
        try:
            answer = await self._session.request(
                request.method,
                URL(str(request.url), encoded=True),
                headers=headers,
                data=request.content or None,
                allow_redirects=False,
                proxy=self._proxy.url if self._proxy else None,
            )
        except (aiohttp.ClientError, OSError) as error:
            raise _in_words_of_httpx(error, sent.phase) from _cause(error)
        return httpx.Response(answer.status, headers=answer.raw_headers, stream=_Body(answer), request=request)

    @override
    async def aclose(self) -> None:
        await self._session.close()


class _TellingConnector(aiohttp.TCPConnector):
    """A connector that tells the request in whose task it works how far it got."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - of the library's own class
        super().__init__(**options)
        self._used: WeakSet[object] = WeakSet()

    @override
    async def connect(self, *arguments: Any, **options: Any) -> "Connection":
        sent = _sending.get()
        if sent.once and sent.phase is Phase.SENDING:
            # aiohttp sends a GET once more, unasked, where its connection was cut before an answer.
            raise aiohttp.ServerDisconnectedError
        sent.reached(Phase.CONNECTING)
        connection = await super().connect(*arguments, **options)
        # A server that has closed an idle connection may not have been heard yet: what is sent then would be uncertain.
        while connection.protocol in self._used and _has_something_to_say(connection):
            connection.close()
            connection = await super().connect(*arguments, **options)
        self._used.add(connection.protocol)
        sent.reached(Phase.SENDING)
        return connection


def _has_something_to_say(connection: "Connection") -> bool:
    """Tell whether there is an end, or anything else, to be read where no answer is due."""
    if connection.transport is None:
        return True
    waiting = select.poll()
    waiting.register(connection.transport.get_extra_info("socket"), select.POLLIN)
    return bool(waiting.poll(0))


class _Body(httpx.AsyncByteStream):
    """The body of an answer, as it comes. Closed before its end, it takes its connection along."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer

    @override
    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._answer.content.iter_any():
                yield chunk
        except (aiohttp.ClientError, OSError) as error:
            raise _in_words_of_httpx(error, Phase.SENDING) from error

    @override
    async def aclose(self) -> None:
        if self._answer.content.at_eof():
            self._answer.release()
        else:
            self._answer.close()


def _text(headers: list[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    """Decode headers; aiohttp would find an illegal value only with the connection in hand."""
    for name, value in headers:
        if _ILLEGAL.search(value):
            raise httpx.LocalProtocolError(f"Illegal header value {value!r} for {name!r}")
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]


def _cause(error: Exception) -> Exception:
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return error.certificate_error
        case aiohttp.ClientConnectorError():
            return error.os_error
        case _:
            return error


def _in_words_of_httpx(error: Exception, phase: Phase) -> httpx.TransportError:
    said = str(error)
    connecting = phase is Phase.CONNECTING
    match error:
        case aiohttp.ClientHttpProxyError() if connecting:
            return httpx.ProxyError(f"{error.status} {error.message}")
        case aiohttp.ClientConnectorError() | aiohttp.ClientConnectorCertificateError() | ssl.SSLError() if connecting:
            return httpx.ConnectError(said)
        case TimeoutError() if connecting:
            return httpx.ConnectTimeout(said)
        case TimeoutError():
            return httpx.ReadTimeout(said)
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientPayloadError() | aiohttp.ClientResponseError():
            return httpx.RemoteProtocolError(said)
        case aiohttp.InvalidURL():
            return httpx.UnsupportedProtocol(said)
        case _:
            return httpx.ReadError(said)
