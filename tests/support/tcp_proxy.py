"""A TCP proxy that can do to a connection what networks do: cut it, freeze it, refuse it."""

import asyncio
import contextlib
import socket
import struct
from types import TracebackType
from typing import Self

from service.private_broker.free_ports import free_ports

_CHUNK = 65536
# Linger for zero seconds: close() sends RST instead of FIN.
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class _Pair:
    """The two halves of one proxied connection."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self._writers = (client, server)

    def reset(self) -> None:
        for writer in self._writers:
            raw: socket.socket = writer.get_extra_info("socket")
            # A half that is closed already has no socket left to ask for a reset.
            with contextlib.suppress(OSError):
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            writer.transport.abort()


class TcpProxy:
    """Listens on loopback and passes bytes to and from `host`:`port`.

    The port it listens on stays the same for as long as the context lasts, also while it refuses connections.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        (self.port,) = free_ports(1)
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._pairs: set[_Pair] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._changed = asyncio.Condition()
        self.total = 0

    async def __aenter__(self) -> Self:
        await self.open_listening()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close_listening()
        self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def open(self) -> int:
        """How many connections are open now; `total` counts all that ever were."""
        return len(self._pairs)

    def cut(self) -> None:
        """Reset all connections, on both sides. New ones are let in."""
        for pair in self._pairs:
            pair.reset()

    def freeze(self) -> None:
        """Pass no byte and no end of stream, in either direction. Sockets stay open, new ones are let in."""
        self._flowing.clear()

    def thaw(self) -> None:
        """Pass on what was held back, and all that follows."""
        self._flowing.set()

    def close_listening(self) -> None:
        """Refuse new connections; those that are open stay."""
        if self._server is not None:
            self._server.close()
            self._server = None

    async def open_listening(self) -> None:
        """Accept connections again."""
        if self._server is None:
            self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)

    async def connected(self, count: int) -> None:
        """Wait until `count` connections in all have reached the target."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.total >= count)

    async def idle(self) -> None:
        """Wait until no connection is open."""
        async with self._changed:
            await self._changed.wait_for(lambda: not self._pairs)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # As a task of ours: asyncio reports a cancelled one of its own as an error.
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            target_reader, target_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        pair = _Pair(writer, target_writer)
        await self._count(pair)
        try:
            await asyncio.gather(self._pump(reader, target_writer), self._pump(target_reader, writer))
        except ConnectionError:
            pair.reset()
        finally:
            writer.close()
            target_writer.close()
            await self._discount(pair)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(_CHUNK):
            await self._flowing.wait()
            writer.write(data)
            await writer.drain()
        await self._flowing.wait()
        if writer.can_write_eof():
            writer.write_eof()

    async def _count(self, pair: _Pair) -> None:
        async with self._changed:
            self._pairs.add(pair)
            self.total += 1
            self._changed.notify_all()

    async def _discount(self, pair: _Pair) -> None:
        async with self._changed:
            self._pairs.discard(pair)
            self._changed.notify_all()
