"""A broker connection whose socket can be dropped, whatever the library waits for.

aiormq closes politely: it writes what is left, and a close, first. Into a socket that nobody reads this takes for ever,
and it holds up a cancellation as well.
"""

import asyncio
import socket
from contextlib import suppress
from random import SystemRandom
from typing import Any

import aio_pika
from aiormq.connection import TCPTransportFactory, TLSTransportFactory, TransportFactory
from aiormq.exceptions import AMQPConnectionError
from typing_extensions import override

from service.adapters.rabbitmq.gathering_writer import GatheringWriter

_CHANCE = SystemRandom()
_SEVERAL = 2


class DroppableConnection(aio_pika.Connection):
    """A connection that `drop` ends at once."""

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - those of the library's own class
        super().__init__(*arguments, **options)
        self._grip = _Grip(TLSTransportFactory() if self.url.scheme == "amqps" else TCPTransportFactory())
        self.kwargs["transport_factory"] = self._grip

    @override
    def __del__(self) -> None:
        # The library's closes what was forgotten. Nothing is: whoever opens one closes it. One that never came up has
        # nothing to close, and collected outside of a running loop it would leave a close behind that nobody awaits.
        pass

    @property
    def opened(self) -> bool:
        """Whether there was a socket, with TLS agreed on where it is asked for."""
        return self._grip.writer is not None

    def drop(self) -> None:
        """Close the socket without another byte; whoever waits in the library hears of a lost connection."""
        if self._grip.writer is not None:
            self._grip.writer.transport.abort()


class _Grip(TransportFactory):
    """Opens the socket as the library does, and keeps hold of it."""

    def __init__(self, library: TransportFactory) -> None:
        self._library = library
        self.writer: asyncio.StreamWriter | None = None

    @override
    async def create(
        self,
        url: Any,
        **options: Any,
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a socket; raises what the library's own factory raises.

        A name may stand for several nodes. They are tried in random order: a node that takes connections and answers
        nothing would else be the first one for ever.
        """
        reader, writer = await self._open(url, options)
        self.writer = GatheringWriter(reader, writer)
        return reader, self.writer

    async def _open(
        self,
        url: Any,  # noqa: ANN401 - of a library that we do not use ourselves
        options: dict[str, Any],
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        addresses = await _addresses(url.host, url.port)
        if len(addresses) < _SEVERAL:
            return await self._library.create(url, **options)
        _CHANCE.shuffle(addresses)
        if url.scheme == "amqps":
            # The certificate is for the name.
            options["server_hostname"] = url.host
        for address in addresses[:-1]:
            with suppress(AMQPConnectionError):
                return await self._library.create(url.with_host(address), **options)
        return await self._library.create(url.with_host(addresses[-1]), **options)


async def _addresses(host: str, port: int) -> list[str]:
    """Look a name up; empty where that fails, so that the library tells why."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        return []
    return list(dict.fromkeys(str(address[0]) for *_, address in found))
