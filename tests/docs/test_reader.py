from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, Page
from tests.docs.reader import SHOWN_PORT, Surroundings, reader, surroundings
from tests.docs.shell import Shell


@pytest.fixture
def nowhere(tmp_path: Path) -> Surroundings:
    """For pages that need no broker."""
    return surroundings("amqp://127.0.0.1:9/", "nobody", tmp_path)


async def follow(text: str, around: Surroundings, differences: Mapping[str, str] | None = None) -> Shell:
    async with reader(Page(ROOT / "docs/made-up.md", text), around, differences=differences) as somebody:
        await somebody.follow()
    return somebody.shell


async def test_our_command_and_python_are_those_of_this_source_tree(nowhere: Surroundings) -> None:
    text = (
        "<!-- stays up: Simulated endpoint at -->\n```sh\nvideogen-worker simulate --port 9090\n```\n\n"
        "```console\n$ python3 -c 'import service; print(service.__path__)'\n['…/service']\n```\n"
    )
    (stayed,) = (await follow(text, nowhere, {SHOWN_PORT: str(nowhere.endpoint_port)})).staying
    assert await stayed.exits() == 0
    assert f"http://127.0.0.1:{nowhere.endpoint_port};" in stayed.output[0]


async def test_a_block_that_needs_what_is_not_here_is_left_out(nowhere: Surroundings) -> None:
    page = Page(ROOT / "docs/made-up.md", "<!-- needs: docker -->\n```sh\nfalse\n```\n\n```sh\ntrue\n```\n")
    async with reader(page, nowhere, lacking={"docker"}) as somebody:
        await somebody.follow()
    async with reader(page, replace(nowhere, folder=nowhere.folder / "again"), lacking=()) as somebody:
        with pytest.raises(AssertionError, match="line 2 ended with 1"):
            await somebody.follow()


@pytest.mark.parametrize(
    ("text", "differences", "said"),
    [
        ("```console\n$ echo one\ntwo\n```\n", {}, "line 1 did not print this"),
        ("```sh\nfalse\n```\n", {}, "line 1 ended with 1"),
        ("<!-- exit status: 1 -->\n```sh\ntrue\n```\n", {}, "line 2 ended with 0"),
        ("```sh\necho one\n```\n", {"two": "three"}, "does not show \\['two'\\] any more"),
    ],
)
async def test_a_page_that_does_not_keep_its_word_is_named(
    text: str, differences: dict[str, str], said: str, nowhere: Surroundings
) -> None:
    with pytest.raises(AssertionError, match=f"made-up.*{said}"):
        await follow(text, nowhere, differences)
