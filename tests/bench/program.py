"""A Python module that runs as a process of its own; what it prints goes to a file."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

_TAIL = 15


@dataclass(frozen=True, slots=True)
class Program:
    """One run of a module."""

    process: asyncio.subprocess.Process
    log: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def running(self) -> bool:
        return self.process.returncode is None

    @property
    def tail(self) -> str:
        """The last lines that it printed."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-_TAIL:])


@asynccontextmanager
async def program(
    module: str, *arguments: str, folder: Path, environment: Mapping[str, str] | None = None
) -> AsyncIterator[Program]:
    """Run `python -m module` with these VIDEOGEN_ settings alone; it is killed at the end."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("VIDEOGEN_")}
    log = folder / f"{module}-{os.urandom(4).hex()}.log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", module, *arguments),
            env={**inherited, "PYTHONPATH": os.getcwd(), **(environment or {})},  # noqa: PTH109 - a text is wanted
            cwd=folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        yield Program(process, log)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
