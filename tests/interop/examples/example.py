"""The files of `docs/examples`, run as a stranger runs them."""

import asyncio
import os
import re
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from tests.interop.node_tools import NODE, OF_THE_EXAMPLES
from tests.support.debian_program import find_or_install

FOLDER = Path(__file__).parents[3] / "docs/examples"
# Less than the 60 s that each waits for its result.
LIMIT = 40.0
PATIENCE = re.compile(r"\b(WAIT = |seconds=)60\b")
INTERPRETERS = {".py": sys.executable, ".js": str(NODE), ".php": "php", ".sh": "sh"}
PHP_LIBRARY = Path("/usr/share/php/PhpAmqpLib/autoload.php")


class MissingProgramError(Exception):
    """There is no curl, or no PHP, which an example needs; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Ended:
    """`said` is its standard output, `complained` its standard error, each without the last end of line."""

    status: int | None
    said: str
    complained: str


@dataclass(frozen=True, slots=True)
class Example:
    """One file, and the variables that it reads."""

    path: Path
    variables: Mapping[str, str]

    @classmethod
    def named(cls, name: str, **variables: str) -> Self:
        return cls(FOLDER / name, variables)

    def shown(self) -> tuple[str, ...]:
        """Give the arguments of the command with arguments that its head shows."""
        lines = self.path.read_text(encoding="utf-8").splitlines()
        command = next(line for line in lines if f" {self.path.name} " in line)
        return tuple(shlex.split(command.lstrip("/# "))[2:])

    def impatient(self, folder: Path) -> Self:
        """Make a copy that waits for two seconds, not sixty."""
        text, count = PATIENCE.subn(r"\g<1>2", self.path.read_text(encoding="utf-8"))
        assert count == 1, f"{self.path.name} does not say once how long it waits"
        copy = folder / self.path.name
        copy.write_text(text, encoding="utf-8")
        return replace(self, path=copy)

    def at(self, **variables: str) -> Self:
        """Change variables."""
        return replace(self, variables={**self.variables, **variables})

    async def run(self, *arguments: str) -> Ended:
        """Run it to its end."""
        child = await asyncio.create_subprocess_exec(
            INTERPRETERS[self.path.suffix],
            str(self.path),
            *arguments,
            env=await self._environment(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(LIMIT):
                said, complained = await child.communicate()
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
        return Ended(child.returncode, said.decode().rstrip("\n"), complained.decode().rstrip("\n"))

    async def _environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("VIDEOGEN_")}
        if self.path.suffix == ".js":
            packages = await asyncio.to_thread(OF_THE_EXAMPLES.installed)
            inherited["NODE_PATH"] = str(packages / "node_modules")
        await asyncio.to_thread(_need_programs, self.path.suffix)
        # curl goes through a proxy where the environment names one, also to this machine.
        return {**inherited, "no_proxy": "127.0.0.1", **self.variables}


def _need_programs(suffix: str) -> None:
    if suffix == ".sh" and find_or_install("curl", "curl", print) is None:
        raise MissingProgramError("Install curl (Debian, Ubuntu: sudo apt-get install curl)")
    if suffix == ".php":
        # The second is no program: it is looked for by its file.
        found = find_or_install("php", "php-cli", print)
        if not PHP_LIBRARY.exists():
            find_or_install(str(PHP_LIBRARY), "php-amqplib", print)
        if found is None or not PHP_LIBRARY.exists():
            raise MissingProgramError("Install PHP (Debian, Ubuntu: sudo apt-get install php-cli php-amqplib)")
