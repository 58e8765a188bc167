"""The worker as a process of its own, watched through its log."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

GUARD = 40.0


class Process:
    """A child process whose lines of output can be waited for."""

    def __init__(self, child: asyncio.subprocess.Process) -> None:
        self._child = child
        self.output: list[str] = []
        self._changed = asyncio.Condition()
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        stream = self._child.stdout
        assert stream is not None
        async for line in stream:
            async with self._changed:
                self.output.append(line.decode().rstrip())
                self._changed.notify_all()
        async with self._changed:
            self._changed.notify_all()

    async def says(self, text: str) -> str:
        """Wait for a line that holds `text`."""

        def said() -> str | None:
            return next((line for line in self.output if text in line), None)

        try:
            async with asyncio.timeout(GUARD), self._changed:
                while (line := said()) is None:
                    assert not self._stream_ended(), f"ended without saying {text!r}:\n" + "\n".join(self.output)
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(f"did not say {text!r} in time:\n" + "\n".join(self.output)) from None
        return line

    def _stream_ended(self) -> bool:
        return self._child.stdout is None or self._child.stdout.at_eof()

    def signal(self, number: signal.Signals) -> None:
        self._child.send_signal(number)

    def interrupt(self) -> None:
        """Send SIGINT to its whole process group, as a terminal does on Ctrl-C."""
        os.killpg(self._child.pid, signal.SIGINT)

    async def exits(self) -> int:
        """Wait for the end and return the exit status."""
        async with asyncio.timeout(GUARD):
            return await self.ends()

    async def ends(self) -> int:
        """Wait for the end, however long it takes, and return the exit status."""
        # Whoever gives up waiting must not end the reading.
        await asyncio.shield(self._reading)
        return await self._child.wait()

    async def kill(self) -> None:
        if self._child.returncode is None:
            self._child.kill()
        await self._reading
        await self._child.wait()


@asynccontextmanager
async def process(
    *arguments: str, environment: Mapping[str, str] | None = None, folder: Path | None = None
) -> AsyncIterator[Process]:
    """Run `python -m service` with `arguments` and the given VIDEOGEN_ settings alone."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("VIDEOGEN_")}
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "service",
        *arguments,
        env={**inherited, **(environment or {})},
        cwd=folder,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        process_group=0,
    )
    running = Process(child)
    try:
        yield running
    finally:
        await running.kill()
