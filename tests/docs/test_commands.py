"""Commands of ours, wherever a page shows them: do they exist, and have they these options?"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from typer.core import TyperGroup
from typer.main import get_command

from service.cli.app import app
from tests.docs.pages import ROOT, markdown_files

PAGES = markdown_files()
_HELP = {"--help", "-h"}
_CALL = re.compile(r"(?:^|[\s(])videogen-worker (?P<words>[a-z][^\n|#;&>]*)")


def shown(page: Path) -> Iterator[str]:
    """Give what stands after `videogen-worker` in the code of a page."""
    tokens = MarkdownIt("commonmark").enable("table").parse(page.read_text(encoding="utf-8"))
    for token in (part for each in tokens for part in (each, *(each.children or ()))):
        if token.type in {"fence", "code_inline"}:
            for call in _CALL.finditer(token.content.replace("\\\n", " ")):
                yield call["words"]


def unknown(words: str) -> list[str]:
    """List the subcommands and options of a call that do not exist."""
    called = get_command(app)
    parts = words.split()
    while isinstance(called, TyperGroup) and parts and not parts[0].startswith("-"):
        name = parts.pop(0)
        if name not in called.commands:
            return [name]
        called = called.commands[name]
    known = {name for parameter in called.params for name in (*parameter.opts, *parameter.secondary_opts)} | _HELP
    given = re.findall(r"(?<!\S)--?[a-z][\w-]*", re.sub(r"\"[^\"]*\"|'[^']*'", "", " ".join(parts)))
    return [name for name in given if name not in known]


WITH_CALLS = [page for page in PAGES if any(shown(page))]


@pytest.mark.parametrize("page", WITH_CALLS, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_of_ours_that_a_page_shows_exists(page: Path) -> None:
    assert {words: unknown(words) for words in shown(page) if unknown(words)} == {}


@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        ("dead replay --code unavailable --rate 2", []),
        ('submit --model wan --prompt "a --b c" -h', []),
        ("dead reply --all", ["reply"]),
        ("submit --modle wan", ["--modle"]),
    ],
)
def test_a_slip_in_a_command_is_found(words: str, wrong: list[str]) -> None:
    assert unknown(words) == wrong


def test_every_target_of_make_that_a_page_shows_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {name for page in PAGES for name in re.findall(r"(?:^|`)make ([a-z]+)", page.read_text(), re.MULTILINE)}
    assert {"demo", "test"} <= named <= targets
