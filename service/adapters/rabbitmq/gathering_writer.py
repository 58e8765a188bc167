"""Writes what gathers in one turn of the event loop with one system call.

The library writes each frame by itself, and uvloop sends each write at once. On a busy worker those calls were a fifth
of all CPU.
"""

import asyncio
from typing import cast

from typing_extensions import override


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

    @override
    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Have `data` written at the end of this turn, after what was to be written before."""
        if not self._gathered:
            self._turns.call_soon(self._flush)
        self._gathered.append(bytes(data))

    @override
    async def drain(self) -> None:
        """Write what has gathered, and wait for room."""
        self._flush()
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
            super().write(b"".join(gathered))
