"""Follows a page as a reader does: every block of commands, in order, in one shell session."""

import os
import re
import stat
import sys
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from service.private_broker.free_ports import free_ports
from tests.docs.pages import ROOT, Block, Page
from tests.docs.shell import Ended, Shell, shell

# What the pages show, for the reader's own machine.
SHOWN_BROKER = "amqp://guest:guest@localhost:5672/"
SHOWN_PORT = "9090"
_ANYTHING = "…"
# Options given to `make test` are not for the `make` that a reader types.
_KEPT_BACK = ("VIDEOGEN_", "PYTHONPATH", "MAKE", "ARGS", "JOBS")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where a page is followed: its broker and queues, free ports, a folder."""

    broker_url: str
    prefix: str
    endpoint_port: int
    admin_port: int
    folder: Path

    def environment(self, **more: str) -> dict[str, str]:
        """Give the environment of the reader's shell; the queues of this test are named there, and so in no command."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(_KEPT_BACK)}
        return {
            **inherited,
            "PATH": f"{_commands(self.folder / 'commands')}:{os.environ['PATH']}",
            "COLUMNS": "200",
            "VIDEOGEN_BROKER__PREFIX": self.prefix,
            "VIDEOGEN_ADMIN__HOST": "127.0.0.1",
            "VIDEOGEN_ADMIN__PORT": str(self.admin_port),
            "VIDEOGEN_SECRETS_DIR": str(self.folder),
            **more,
        }


def surroundings(broker_url: str, prefix: str, folder: Path) -> Surroundings:
    """Find free ports for what the reader starts."""
    endpoint, admin = free_ports(2)
    return Surroundings(broker_url, prefix, endpoint, admin, folder)


def _commands(folder: Path) -> Path:
    """Make the commands of this source tree, whatever else is installed under their names."""
    folder.mkdir(parents=True, exist_ok=True)
    python = f"PYTHONPATH={ROOT} exec {sys.executable}"
    for name, command in {"videogen-worker": f"{python} -m service", "python": python, "python3": python}.items():
        file = folder / name
        file.write_text(f'#!/bin/sh\n{command} "$@"\n')
        file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return folder


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody who follows `page`.

    `differences` are what must be typed here in place of what the page shows; `lacking` are programs that are not here.
    """

    page: Page
    shell: Shell
    differences: Mapping[str, str]
    lacking: frozenset[str] = frozenset()

    async def follow(self) -> None:
        """Run every block that can be run; each must end as the page says, and print what it shows."""
        blocks = [block for block in self.page.run if block.needs not in self.lacking]
        unused = [shown for shown in self.differences if not any(shown in block.script for block in blocks)]
        assert blocks
        assert unused == [], f"{self.page.name} does not show {unused} any more; correct its test"
        for block in blocks:
            await self.run(block)

    async def run(self, block: Block) -> None:
        """Run one block of the page."""
        script = self._here(block.script)
        if block.stays_up is not None:
            await self.shell.stay(script, block.stays_up)
            return
        ended = await self.shell.run(script)
        place = f"{self.page.name}, line {block.line}"
        assert ended.status == block.exit_status, f"{place} ended with {ended.status}:\n{ended.output}"
        assert missing(self._printed(block), ended) == [], f"{place} did not print this, but\n{ended.output}"

    def _here(self, text: str) -> str:
        for shown, here in self.differences.items():
            text = text.replace(shown, here)
        return text

    def _printed(self, block: Block) -> tuple[str, ...]:
        return tuple(map(self._here, block.printed))


def missing(shown: tuple[str, ...], ended: Ended) -> list[str]:
    """List the lines that were not printed, each after the one before it; `…` stands for something within a line."""
    rest = ended.output
    lines = []
    for line in shown:
        pattern = ".+".join(re.escape(part) for part in line.strip().split(_ANYTHING))
        if (found := re.search(pattern, rest)) is None:
            lines.append(line)
        else:
            rest = rest[found.end() :]
    return lines


@asynccontextmanager
async def reader(
    page: Page,
    around: Surroundings,
    settings: Mapping[str, str] | None = None,
    differences: Mapping[str, str] | None = None,
    start: Path | None = None,
    lacking: Collection[str] = (),
) -> AsyncIterator[Reader]:
    """Sit down before a page, with these settings in the environment, in `start` or an empty folder."""
    folder = start or around.folder / "reader"
    async with shell(folder, around.folder / "memory", around.environment(**(settings or {}))) as session:
        yield Reader(page, session, differences or {}, frozenset(lacking))
