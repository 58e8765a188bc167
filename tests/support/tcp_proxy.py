"""A TCP proxy that does to connections what networks do: cut them, freeze, refuse or delay them, lose bytes of them."""

import asyncio
import contextlib
import socket
import struct
from dataclasses import dataclass
from enum import Enum, auto
from types import TracebackType
from typing import Self

from service.private_broker.free_ports import free_ports

_CHUNK = 65536
_CHUNKS_UNDER_WAY = 64
# Linger for zero seconds: close() sends RST instead of FIN.
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Way(Enum):
    """One direction of a connection."""

    TO_TARGET = auto()
    TO_CLIENT = auto()


BOTH = tuple(Way)


@dataclass(slots=True)
class _Lane:
    """What one direction of one connection still lets pass; `allowance` None: everything."""

    allowance: int | None = None
    cuts: bool = False

    def passed(self, data: bytes) -> bytes:
        if self.allowance is None:
            return data
        passed = data[: self.allowance]
        self.allowance -= len(passed)
        return passed

    @property
    def ends_here(self) -> bool:
        return self.cuts and self.allowance == 0


class _Pair:
    """The two halves of one proxied connection."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self._writers = (client, server)
        self.lanes = {way: _Lane() for way in Way}

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
        self._delays = dict.fromkeys(Way, 0.0)
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

    def aim(self, host: str, port: int) -> None:
        """Lead new connections there; those that are open stay."""
        self._target = (host, port)

    def cut(self) -> None:
        """Reset all connections, on both sides. New ones are let in."""
        for pair in self._pairs:
            pair.reset()

    def cut_after(self, count: int, way: Way) -> None:
        """Pass `count` more bytes (at least 1) in one direction of each open connection, then reset it, also mid-frame.

        New connections are not harmed.
        """
        for pair in self._pairs:
            pair.lanes[way] = _Lane(count, cuts=True)

    def swallow(self, way: Way, after: int = 0) -> None:
        """Lose what flows in one direction of each open connection, once `after` more bytes have passed.

        The connections stay open and the other direction flows. New connections are not harmed.
        """
        for pair in self._pairs:
            pair.lanes[way] = _Lane(after)

    def delay(self, seconds: float, *ways: Way) -> None:
        """Pass all bytes of the given directions (both, where none is given) this much later, in order; 0 ends it."""
        self._delays.update(dict.fromkeys(ways or BOTH, seconds))

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
            async with asyncio.TaskGroup() as pumps:
                self._pump(pumps, pair, Way.TO_TARGET, reader, target_writer)
                self._pump(pumps, pair, Way.TO_CLIENT, target_reader, writer)
        # An end of a connection that its peer has reset is ENOTCONN, which Python counts as a bare OSError.
        except* OSError:
            pair.reset()
        finally:
            writer.close()
            target_writer.close()
            await self._discount(pair)

    def _pump(
        self,
        pumps: asyncio.TaskGroup,
        pair: _Pair,
        way: Way,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_CHUNKS_UNDER_WAY)
        pumps.create_task(self._read(reader, under_way))
        pumps.create_task(self._write(pair, way, under_way, writer))

    @staticmethod
    async def _read(reader: asyncio.StreamReader, under_way: "asyncio.Queue[tuple[float, bytes]]") -> None:
        """Note when each piece came in; an empty one is the end of the stream."""
        clock = asyncio.get_running_loop().time
        data = b"first"
        while data:
            data = await reader.read(_CHUNK)
            await under_way.put((clock(), data))

    async def _write(
        self,
        pair: _Pair,
        way: Way,
        under_way: "asyncio.Queue[tuple[float, bytes]]",
        writer: asyncio.StreamWriter,
    ) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            came_in, data = await under_way.get()
            if (wait := came_in + self._delays[way] - clock()) > 0:
                await asyncio.sleep(wait)
            await self._flowing.wait()
            if not data:
                break
            lane = pair.lanes[way]
            writer.write(lane.passed(data))
            await writer.drain()
            if lane.ends_here:
                await _sent(writer)
                raise ConnectionResetError
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


async def _sent(writer: asyncio.StreamWriter) -> None:
    # A reset drops what the transport still holds.
    writer.transport.set_write_buffer_limits(high=0)
    await writer.drain()
