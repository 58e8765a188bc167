import asyncio
import sys
from itertools import pairwise

import pytest

from service.adapters.version import installed_version
from tests.support.process import process

COMMANDS = ["run", "check", "submit", "simulate", "demo", "schema", "dead", "undelivered"]
WIDTH = 78


@pytest.mark.parametrize("command", COMMANDS)
async def test_the_paragraphs_of_help_fill_their_lines(command: str) -> None:
    async with process(command, "--help", environment={"COLUMNS": "80"}) as help_text:
        assert await help_text.exits() == 0

    said = help_text.output
    prose = said[1 : next(at for at, line in enumerate(said) if line.endswith(":"))]
    for line, following in pairwise(prose):
        if line and following:
            first_word = following.split()[0]
            assert len(f"{line} {first_word}") > WIDTH


async def test_help_imports_no_library_of_a_command() -> None:
    heavy = "{'aio_pika', 'aiohttp', 'httpx', 'prometheus_client', 'pydantic', 'rich', 'yaml'}"
    code = f"import sys, service.cli.app; sys.exit(bool({heavy} & set(sys.modules)))"
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", code)
    assert await child.wait() == 0


async def test_the_version_is_shown_with_the_revision() -> None:
    async with process("--version") as shown:
        assert await shown.exits() == 0
    assert shown.output == [f"videogen-worker {installed_version()} (revision unknown)"]


async def test_the_worker_imports_no_command_line_of_its_http_library() -> None:
    code = """
import sys
from service.__main__ import begin_quickly
begin_quickly()
import service.app
sys.exit("click" in sys.modules)
"""
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", code)
    assert await child.wait() == 0
