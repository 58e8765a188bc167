"""The owner's end of the line to a keeper process."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import IO, Literal

from service.private_broker import keeper

Command = Literal["start", "stop", "kill", "status"]


class KeeperClient:
    """Belongs to no event loop: a test session may enter its context in one loop and use it in others."""

    def __init__(self, commands: IO[str], answers: IO[str]) -> None:
        self._commands = commands
        self._answers = answers

    async def ask(self, command: Command) -> bool:
        """Give a command and wait until it is carried out; tell whether the server runs.

        Raises:
            ConnectionError: the keeper itself is gone.
        """
        self._commands.write(f"{command}\n")
        self._commands.flush()
        answer = await asyncio.to_thread(self._answers.readline)
        if not answer:
            raise ConnectionError("the keeper of the private RabbitMQ node is gone; start another node")
        return answer.strip() == "running"


@asynccontextmanager
async def keeping(
    folder: Path, epmd: Path, server: Path, environment: Mapping[str, str]
) -> AsyncIterator[KeeperClient]:
    """Run a keeper; leaving the context ends the node's processes and removes `folder`."""
    process = subprocess.Popen(  # noqa: S603, ASYNC220 - our own script, and it starts at once
        [sys.executable, "-I", keeper.__file__, str(folder), str(epmd), str(server)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        text=True,
        # Ctrl-C in a terminal reaches every process of the session; this one is the owner's to end.
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        try:
            yield KeeperClient(process.stdin, process.stdout)
        finally:
            # A keeper that is gone leaves nobody to read the last command.
            with suppress(BrokenPipeError):
                process.stdin.close()
            await asyncio.to_thread(process.wait)
