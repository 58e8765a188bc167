"""A newcomer with one page: from nothing but the source to an answer for a program of their own."""

import time
from collections.abc import Collection, Mapping
from pathlib import Path
from uuid import uuid4

import pytest

from service.private_broker.free_ports import free_ports
from tests.docs.pages import Page, page
from tests.docs.reader import SHOWN_BROKER, SHOWN_PORT, Surroundings, reader

PROMISED = 300.0
# Each installs the package with all that it needs.
pytestmark = pytest.mark.timeout(PROMISED + 60)


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
    page: Page,
    around: Surroundings,
    checkout: Path,
    settings: Mapping[str, str],
    typed: Mapping[str, str],
    lacking: Collection[str] = (),
) -> None:
    """Follow the page within the time that it promises; what it started must end well."""
    began = time.monotonic()
    async with reader(page, around, settings, typed, start=checkout, lacking=lacking) as somebody:
        await somebody.follow()
        took = time.monotonic() - began

    assert took < PROMISED
    assert [await program.exits() for program in somebody.shell.staying] == [0, 0]


async def test_the_tutorial_leads_to_a_video_id_within_five_minutes(
    around: Surroundings, checkout: Path, lacking: frozenset[str]
) -> None:
    typed = differences(around, "VideogenClient(BROKER)", "BROKER")
    if "docker" not in lacking:
        typed = in_a_container(typed)
    await follow(page("docs/tutorial.md"), around, checkout, {}, typed, lacking)

    assert (around.folder / "try-videogen" / "videogen-ledger.db").is_file()


def in_a_container(typed: Mapping[str, str]) -> dict[str, str]:
    """Have the page's own broker, under a name and at a port that others on this machine do not use."""
    (port,) = free_ports(1)
    return {
        **typed,
        "videogen-broker": f"videogen-test-{uuid4().hex[:12]}",
        "127.0.0.1:5672:5672": f"127.0.0.1:{port}:5672",
        SHOWN_BROKER: SHOWN_BROKER.replace("5672", str(port)),
    }


async def test_the_readme_leads_to_an_answer_for_a_program_of_ones_own_within_five_minutes(
    around: Surroundings, checkout: Path
) -> None:
    typed = differences(around, f'VideogenClient("{SHOWN_BROKER}")', repr(around.broker_url))
    # The address is the default one on the page; here it is not.
    settings = {"VIDEOGEN_BROKER__URL": around.broker_url}
    exchange = {'get_exchange("videogen")': f'get_exchange("{around.prefix}")'}
    await follow(page("README.md"), around, checkout, settings, {**typed, **exchange})
