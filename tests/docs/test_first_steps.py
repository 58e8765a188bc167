"""A newcomer with one page: from nothing but the source to an answer for a program of their own."""

import shutil
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, Page, page
from tests.docs.reader import SHOWN_BROKER, SHOWN_PORT, Surroundings, reader

PROMISED = 300.0
SOURCES = ("pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md")
# Each installs the package with all that it needs.
pytestmark = pytest.mark.timeout(PROMISED + 60)


@pytest.fixture
def checkout(around: Surroundings) -> Path:
    """The source, as somebody has it who begins."""
    folder = around.folder / "videogen-worker"
    shutil.copytree(ROOT / "service", folder / "service", ignore=shutil.ignore_patterns("__pycache__"))
    for name in SOURCES:
        shutil.copy(ROOT / name, folder)
    return folder


def differences(around: Surroundings, client: str, broker: str) -> dict[str, str]:
    """Tell what must be typed for this broker and these queues; the page's program makes its client with `client`."""
    return {
        # First: the address of the broker may hold these digits too.
        SHOWN_PORT: str(around.endpoint_port),
        "import RequestFailed, VideogenClient": "import Options, RequestFailed, VideogenClient",
        client: f"VideogenClient({broker}, Options(prefix={around.prefix!r}))",
        SHOWN_BROKER: around.broker_url,
    }


async def follow(
    page: Page, around: Surroundings, checkout: Path, settings: Mapping[str, str], typed: Mapping[str, str]
) -> None:
    """Follow the page within the time that it promises; what it started must end well."""
    began = time.monotonic()
    async with reader(page, around, settings, typed, start=checkout) as somebody:
        await somebody.follow()
        took = time.monotonic() - began

    assert took < PROMISED
    assert [await program.exits() for program in somebody.shell.staying] == [0, 0]


async def test_the_tutorial_leads_to_a_video_id_within_five_minutes(around: Surroundings, checkout: Path) -> None:
    typed = differences(around, "VideogenClient(BROKER)", "BROKER")
    await follow(page("docs/tutorial.md"), around, checkout, {}, typed)

    assert (around.folder / "try-videogen" / "videogen-ledger.db").is_file()


async def test_the_readme_leads_to_an_answer_for_a_program_of_ones_own_within_five_minutes(
    around: Surroundings, checkout: Path
) -> None:
    typed = differences(around, f'VideogenClient("{SHOWN_BROKER}")', repr(around.broker_url))
    # The address is the default one on the page; here it is not.
    settings = {"VIDEOGEN_BROKER__URL": around.broker_url}
    exchange = {'get_exchange("videogen")': f'get_exchange("{around.prefix}")'}
    await follow(page("README.md"), around, checkout, settings, {**typed, **exchange})
