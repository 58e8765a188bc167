"""The worker's container as a process on this machine, with the environment and the files of its pod."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.process import Process, process

_ENTRYPOINT = "videogen-worker"
_NOT_FOUND = 127


@dataclass(frozen=True, slots=True)
class Finished:
    """How a command ended, and what it printed."""

    status: int
    output: bytes
    errors: bytes


@dataclass(slots=True)
class Container:
    """A container that runs, or did."""

    environment: Mapping[str, str]
    folder: Path
    process: Process

    @property
    def output(self) -> list[str]:
        return list(self.process.output)

    async def execute(self, command: Sequence[str]) -> Finished:
        """Run one more command in it. It has the programs of the image alone, of which we play one."""
        if command[0] != _ENTRYPOINT:
            missing = f'exec: "{command[0]}": executable file not found in $PATH\n'
            return Finished(_NOT_FOUND, b"", missing.encode())
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("VIDEOGEN_")}
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "service", *command[1:]),
            env={**inherited, **self.environment},
            cwd=self.folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            output, errors = await child.communicate()
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
        assert child.returncode is not None
        return Finished(child.returncode, output, errors)


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the ports of a container are on this machine, which it shares with all others."""

    local: Mapping[int, int] = field(default_factory=dict)

    def arguments(self, given: Sequence[str]) -> list[str]:
        """Have a program listen there, and on loopback alone."""
        moved = {f"--port={port}": f"--port={local}" for port, local in self.local.items()}
        return [moved.get(each, each).replace("--host=0.0.0.0", "--host=127.0.0.1") for each in given]

    def settings(self, admin: int) -> dict[str, str]:
        """Say the same by settings, for the admin port of a worker."""
        if admin not in self.local:
            return {}
        return {"VIDEOGEN_ADMIN__HOST": "127.0.0.1", "VIDEOGEN_ADMIN__PORT": str(self.local[admin])}


@asynccontextmanager
async def started(arguments: Sequence[str], environment: Mapping[str, str], folder: Path) -> AsyncIterator[Container]:
    """Run the entry point of the image with `arguments`."""
    async with process(*arguments, environment=environment, folder=folder) as running:
        yield Container(environment, folder, running)
