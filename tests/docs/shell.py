"""One shell session of a reader: what a block exports, and where it goes, holds for the next one."""

import asyncio
import os
import shlex
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.process import GUARD, Process

# The first block of the tutorial and of the README installs the package with all that it needs.
_LIMIT = 280.0


@dataclass(frozen=True, slots=True)
class Ended:
    """How a script ended, and all that it printed."""

    status: int
    output: str


@dataclass(slots=True)
class Shell:
    """Runs scripts one after the other, as if they were typed into one terminal."""

    folder: Path
    environment: Mapping[str, str]
    # Outside of `folder`, which belongs to the reader.
    memory: Path
    staying: list[Process] = field(default_factory=list)
    _groups: list[int] = field(default_factory=list)

    async def run(self, script: str) -> Ended:
        """Run a script to its end."""
        remember = f"remember() {{ export -p > {self._state}; pwd > {self._place}; }}\ntrap remember EXIT\n"
        child = await self._start(remember + script)
        try:
            async with asyncio.timeout(_LIMIT):
                printed, _ = await child.communicate()
        finally:
            self._end(child.pid, signal.SIGKILL)
        assert child.returncode is not None
        return Ended(child.returncode, printed.decode())

    async def stay(self, script: str, said: str) -> None:
        """Run a script whose last command goes on, until it has said that it is there."""
        child = await self._start(script)
        self._groups.append(child.pid)
        process = Process(child)
        self.staying.append(process)
        await process.says(said)

    async def close(self) -> list[str]:
        """Stop what stays up, as Ctrl-C would, the last one first; give back what it said."""
        for process, group in zip(reversed(self.staying), reversed(self._groups), strict=True):
            self._end(group, signal.SIGINT)
            try:
                await process.exits()
            finally:
                self._end(group, signal.SIGKILL)
        return [line for process in self.staying for line in process.output]

    async def _start(self, script: str) -> asyncio.subprocess.Process:
        # A reader sees a command fail; a script would go on.
        begin = "set -euo pipefail\n" + (f'. {self._state}\ncd "$(cat {self._place})"\n' if self._began else "")
        return await asyncio.create_subprocess_exec(
            "bash",
            "-c",
            begin + script,
            cwd=self.folder,
            env=self.environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            process_group=0,
        )

    @property
    def _began(self) -> bool:
        return (self.memory / "place").exists()

    @property
    def _state(self) -> str:
        return shlex.quote(str(self.memory / "state"))

    @property
    def _place(self) -> str:
        return shlex.quote(str(self.memory / "place"))

    @staticmethod
    def _end(group: int, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(group, number)


@asynccontextmanager
async def shell(folder: Path, memory: Path, environment: Mapping[str, str]) -> AsyncIterator[Shell]:
    """Open a session in `folder`; whatever stays up ends with it."""
    session = _sat_down(folder, memory, environment)
    try:
        yield session
    finally:
        async with asyncio.timeout(2 * GUARD):
            await session.close()


def _sat_down(folder: Path, memory: Path, environment: Mapping[str, str]) -> Shell:
    folder.mkdir(parents=True, exist_ok=True)
    memory.mkdir(parents=True)
    return Shell(folder, environment, memory)
