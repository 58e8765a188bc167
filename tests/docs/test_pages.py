import re
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from tests.docs.pages import ROOT, Block, Page, PageError, markdown_files, pages
from tests.docs.reader import missing
from tests.docs.shell import Ended

PAGES = pages()


def parsed(text: str) -> tuple[Block, ...]:
    return Page(ROOT / "docs/made-up.md", text).blocks


def test_a_block_is_what_a_reader_types() -> None:
    assert parsed("text\n\n```sh\none\ntwo\n```\n") == (Block(3, "one\ntwo\n"),)


def test_of_a_console_block_the_prompts_are_left_out_and_the_rest_is_what_is_printed() -> None:
    (block,) = parsed("```console\n$ one \\\n  two\nsaid\n$ three\nsaid …\n```\n")
    assert (block.script, block.printed) == ("one \\\n  two\nthree\n", ("said", "said …"))


def test_blocks_of_other_languages_are_no_commands() -> None:
    assert parsed("```python\nimport os\n```\n\n```\nplain\n```\n") == ()


def test_a_block_within_a_list_is_found() -> None:
    assert parsed("1. do\n\n    ```sh\n    one\n    ```\n") == (Block(3, "one\n"),)


@pytest.mark.parametrize(
    ("marker", "block"),
    [
        ("stays up: it listens", Block(2, "one\n", stays_up="it listens")),
        ("exit status: 3", Block(2, "one\n", exit_status=3)),
        ("needs: docker", Block(2, "one\n", needs="docker")),
        ("run by: tests/docs/test_pages.py", Block(2, "one\n", run_by="tests/docs/test_pages.py")),
    ],
)
def test_a_comment_before_a_block_says_what_becomes_of_it(marker: str, block: Block) -> None:
    assert parsed(f"<!-- {marker} -->\n```sh\none\n```\n") == (block,)


@pytest.mark.parametrize(
    "text",
    [
        "<!-- no run: a slip of the pen -->\n```sh\none\n```\n",
        "<!-- not run: there is no such reason -->\n```sh\none\n```\n",
        "<!-- needs: docker -->\n\ntext\n\n```sh\none\n```\n",
        "<!-- needs: docker -->\n",
        "<!-- exit status: 1 -->\n```python\nimport os\n```\n",
        "```console\none\n```\n",
        "<!-- stays up: it listens -->\n```console\n$ one\nit listens\n```\n",
    ],
)
def test_what_would_not_be_looked_at_as_its_page_says_is_an_error(text: str) -> None:
    with pytest.raises(PageError, match="made-up"):
        parsed(text)


def test_a_file_that_the_reader_saves_is_written_as_it_stands() -> None:
    (block,) = parsed("<!-- saved as: one.py -->\n```python\nprint('$HOME')\n```\n")
    assert block.script == "cat > one.py <<'END OF FILE'\nprint('$HOME')\nEND OF FILE\n"


def test_a_comment_around_a_generated_table_is_no_marker() -> None:
    assert parsed("<!-- generated: backoff -->\n\ntable\n\n<!-- end of generated -->\n\n```sh\none\n```\n") != ()


def test_what_is_shown_must_be_printed_in_its_order() -> None:
    ended = Ended(0, "noise\nthe id is 17 today\nbye\n")
    assert missing(("the id is … today", "bye"), ended) == []
    assert missing(("bye", "the id is … today"), ended) == ["the id is … today"]
    assert missing(("the id is … tomorrow",), ended) == ["the id is … tomorrow"]


def test_a_test_follows_every_page_with_commands_to_run() -> None:
    tests = "".join(file.read_text(encoding="utf-8") for file in Path(__file__).parent.glob("test_*.py"))
    assert {page.name for page in PAGES if page.run} == set(re.findall(r'\bpage\("([^"]+)"\)', tests))


def test_the_test_that_a_block_is_left_to_takes_it_from_its_page() -> None:
    left = {(page.name, block.run_by) for page in PAGES for block in page.blocks if block.run_by is not None}
    assert left
    assert [(name, test) for name, test in left if not takes_from(name, test)] == []


def takes_from(name: str, test: str) -> bool:
    quoted = f'"{name}"'
    return f"page({quoted}).left_to(__file__)" in (ROOT / test).read_text(encoding="utf-8")


def test_commands_stand_in_blocks_that_say_so() -> None:
    command = re.compile(r"^(?:\$ |(?:videogen-worker|docker|kubectl|curl|pip|make) )", re.MULTILINE)
    plain = [
        (path.relative_to(ROOT).as_posix(), token.content)
        for path in markdown_files()
        for token in MarkdownIt("commonmark").parse(path.read_text(encoding="utf-8"))
        if token.type == "fence" and not token.info and command.search(token.content)
    ]
    assert plain == []
