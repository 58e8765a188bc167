"""A process of the product: its output goes to a log file line by line, and lines can be waited for."""

import asyncio
import os
import signal
import sys
from collections import deque
from collections.abc import Mapping
from pathlib import Path

_GUARD = 40.0
_TAIL = 25
# A log line with a traceback is longer than the stream's default of 64 KiB allows.
_LONGEST_LINE = 4 * 1024 * 1024


class Child:
    """One run of one process. Made by `spawn`."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, log: Path) -> None:
        self.name = name
        self._process = process
        self._lines: list[str] = []
        self._grown = asyncio.Event()
        self._reading = asyncio.create_task(self._read(log))

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.returncode is None

    @property
    def tail(self) -> tuple[str, ...]:
        """The last lines that it printed."""
        return tuple(deque(self._lines, _TAIL))

    async def says(self, text: str, within: float = _GUARD) -> str:
        """Wait for a line that holds `text`; one that was printed earlier counts too."""
        position = 0
        async with asyncio.timeout(within):
            while True:
                grown = self._grown
                for line in self._lines[position:]:
                    position += 1
                    if text in line:
                        return line
                assert not self._reading.done(), f"{self.name} ended without saying {text!r}"
                await grown.wait()

    def said(self, text: str) -> int:
        """Count the lines so far that hold `text`."""
        return sum(text in line for line in self._lines)

    def signal(self, number: signal.Signals) -> None:
        if self.running:
            self._process.send_signal(number)

    async def ends(self, within: float = _GUARD) -> int:
        """Wait for the end and return the exit status."""
        async with asyncio.timeout(within):
            await self._process.wait()
            await self._reading
        return self._process.returncode or 0

    async def kill(self) -> None:
        """End it with SIGKILL."""
        self.signal(signal.SIGKILL)
        await self.ends()

    async def _read(self, log: Path) -> None:
        stream = self._process.stdout
        assert stream is not None
        with log.open("ab") as file:
            async for line in stream:
                file.write(line)
                self._lines.append(line.decode(errors="replace").rstrip())
                self._announce()
        self._announce()

    def _announce(self) -> None:
        self._grown.set()
        self._grown = asyncio.Event()


async def spawn(name: str, *arguments: str, environment: Mapping[str, str], folder: Path) -> Child:
    """Run `python -m service` with `arguments` and the given VIDEOGEN_ settings alone, in `folder`."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("VIDEOGEN_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "service",
        *arguments,
        env={**inherited, **environment},
        cwd=folder,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        limit=_LONGEST_LINE,
        process_group=0,
    )
    return Child(name, process, folder / f"{name}.log")
