"""Pages as a reader follows them: their blocks of commands, and what is said of each."""

import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]
# Their commands are those that run the tests.
_OF_DEVELOPERS = frozenset({"CONTRIBUTING.md", "docs/bench.md"})

_COMMANDS = frozenset({"sh", "bash", "console"})
_SHOWN = "console"
_END = "END OF FILE"
_PROMPT = "$ "
_MARKER = re.compile(r"<!-- (?P<name>stays up|exit status|needs|run by|saved as): (?P<text>.+?) -->")
# A slip in a marker must not have a block run that should not be.
_LIKE_A_MARKER = re.compile(r"<!--(?! generated:| end of generated).*?-->", re.DOTALL)


class PageError(Exception):
    """A comment of a page is not understood; the message says where."""


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of commands, or of a file that the reader saves.

    `script` is what a reader types; `printed` are the lines that the page shows as its output. `stays_up` is what its
    last command says when it is there; `needs` is a program that a machine may lack; `run_by` is the test that runs it
    apart from the rest of the page.
    """

    line: int
    script: str
    printed: tuple[str, ...] = ()
    stays_up: str | None = None
    exit_status: int = 0
    needs: str | None = None
    run_by: str | None = None


@dataclass(frozen=True)
class Page:
    """A page with commands."""

    path: Path
    text: str = field(repr=False)

    @property
    def name(self) -> str:
        """The path in the repository."""
        return self.path.relative_to(ROOT).as_posix()

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """Every block of commands, in order.

        Raises:
            PageError: a comment is no marker, or stands before no block of commands; or a block shows no prompt.
        """
        return tuple(_blocks(self.text, self.name))

    @property
    def run(self) -> tuple[Block, ...]:
        """The blocks that are run by whoever follows the page."""
        return tuple(block for block in self.blocks if block.run_by is None)

    def left_to(self, test: str) -> tuple[Block, ...]:
        """Give the blocks that the test in this file runs; the caller gives its own `__file__`."""
        name = Path(test).relative_to(ROOT).as_posix()
        return tuple(block for block in self.blocks if block.run_by == name)


def markdown_files() -> list[Path]:
    """List every page, by its path."""
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "deploy").rglob("*.md")])


def page(name: str) -> Page:
    """Read the page at this path in the repository."""
    path = ROOT / name
    return Page(path, path.read_text(encoding="utf-8"))


def pages() -> list[Page]:
    """Read every page that has commands for its readers."""
    names = [path.relative_to(ROOT).as_posix() for path in markdown_files()]
    return [each for each in map(page, names) if each.name not in _OF_DEVELOPERS and each.blocks]


def _blocks(text: str, file: str) -> list[Block]:
    found: list[Block] = []
    waiting: tuple[str, str] | None = None
    for token in MarkdownIt("commonmark").parse(text):
        line = (token.map or [0])[0] + 1
        language = token.info.partition(" ")[0]
        if token.type == "html_block" and _LIKE_A_MARKER.search(token.content):
            marker = _MARKER.fullmatch(token.content.strip())
            if marker is None or waiting:
                raise PageError(f"{file}, line {line}: {token.content.strip()} is no marker of tests/docs/pages.py")
            waiting = (marker["name"], marker["text"])
        elif token.type == "fence" and (language in _COMMANDS or (waiting and waiting[0] == "saved as")):
            found.append(_block(language, token.content, f"{file}, line {line}", line, waiting))
            waiting = None
        elif waiting and token.nesting >= 0:
            raise PageError(f"{file}, line {line}: the marker {waiting[0]!r} stands before no block of commands")
    if waiting:
        raise PageError(f"{file}: the marker {waiting[0]!r} stands before no block of commands")
    return found


def _block(language: str, content: str, place: str, line: int, marker: tuple[str, str] | None) -> Block:
    script, printed = _typed_and_printed(content, place) if language == _SHOWN else (content, ())
    match marker:
        case ("stays up", text):
            if printed:
                raise PageError(f"{place}: nobody compares what a program prints that stays up; show the command alone")
            return Block(line, script, printed, stays_up=text)
        case ("exit status", text):
            return Block(line, script, printed, exit_status=int(text))
        case ("needs", text):
            return Block(line, script, printed, needs=text)
        case ("run by", text):
            return Block(line, script, printed, run_by=text)
        case ("saved as", text):
            return Block(line, f"cat > {text} <<'{_END}'\n{content}{_END}\n")
        case _:
            return Block(line, script, printed)


def _typed_and_printed(content: str, place: str) -> tuple[str, tuple[str, ...]]:
    if not content.startswith(_PROMPT):
        raise PageError(f"{place}: a block of {_SHOWN} begins with {_PROMPT!r} and a command; without output it is sh")
    typed: list[str] = []
    printed: list[str] = []
    goes_on = False
    for line in content.splitlines():
        if goes_on or line.startswith(_PROMPT):
            typed.append(line.removeprefix(_PROMPT))
            goes_on = line.endswith("\\")
        elif line.strip():
            printed.append(line)
    return "\n".join(typed) + "\n", tuple(printed)
