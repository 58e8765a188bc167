"""Writes what gathers within a few milliseconds with one system call.

The library writes each frame by itself, and uvloop sends each write at once. On a busy worker those calls were a fifth
of all CPU.
"""

import asyncio
import math
from typing import cast

from typing_extensions import override

GATHERED_FOR = 0.005
"""Seconds between two writes, at least, while there is much to write."""


class GatheringWriter(asyncio.StreamWriter):
    """Takes the place of another writer of the same transport."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        protocol = cast("asyncio.StreamReaderProtocol", writer.transport.get_protocol())
        super().__init__(writer.transport, protocol, reader, loop)
        self._turns = loop
        # Forgotten, it would close the transport.
        self._replaced = writer
        self._gathered: list[bytes] = []
        self._flushed_at = -math.inf
        self._written: asyncio.Future[None] | None = None

    @override
    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Have `data` written at the end of this turn; soon after another write, with what else comes."""
        if not self._gathered:
            wait = self._flushed_at + GATHERED_FOR - self._turns.time()
            if wait > 0:
                self._turns.call_later(wait, self._flush)
            else:
                self._turns.call_soon(self._flush)
        self._gathered.append(bytes(data))

    @override
    async def drain(self) -> None:
        """Wait until what has gathered is written, and for room."""
        if self._gathered:
            if self._written is None:
                self._written = self._turns.create_future()
            await asyncio.shield(self._written)
        await super().drain()

    @override
    def write_eof(self) -> None:
        """Write what has gathered, then the end."""
        self._flush()
        super().write_eof()

    @override
    def close(self) -> None:
        """Write what has gathered, then close."""
        self._flush()
        super().close()

    def _flush(self) -> None:
        if gathered := self._gathered:
            self._gathered = []
            self._flushed_at = self._turns.time()
            written, self._written = self._written, None
            # uvloop raises where the connection was lost meanwhile; who drains finds that out for itself.
            if not self.transport.is_closing():
                super().write(b"".join(gathered))
            if written is not None:
                written.set_result(None)
