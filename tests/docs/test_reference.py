"""Commands of the reference pages and of the runbook, on real queues, ledgers and endpoints."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from service.client import Options, VideogenClient
from service.settings import TrackingSettings
from tests.cli.parked.messages import ParkingLot
from tests.docs.pages import ROOT, page
from tests.docs.reader import SHOWN_PORT, Surroundings, reader
from tests.support.broker import Amqp, announce
from tests.support.debian_program import find_or_install
from tests.support.running import running_worker, settings_for, simulated_endpoint

# More than the five that the page tries first.
BLOCKED = [f"blocked-{number}" for number in range(7)]


Needs = Callable[[str, str], Awaitable[None]]


@pytest.fixture
def needs(pytestconfig: pytest.Config) -> Needs:
    """Have a program that a page uses, by its name and Debian's package."""

    async def found(program: str, package: str) -> None:
        # Not in the loop of the test: installing has one of its own.
        where = await asyncio.to_thread(find_or_install, program, package, lambda line: announce(pytestconfig, line))
        assert where, f"{program} is not installed, and cannot be installed from here; install the package {package}"

    return found


async def test_parked_messages_are_listed_replayed_and_discarded(around: Surroundings, amqp: Amqp) -> None:
    lot = ParkingLot(amqp, around.broker_url, around.prefix)
    await lot.open()
    for request_id in BLOCKED:
        await lot.add_dead(request_id, "blocked")
    await lot.add_dead("in-doubt", "uncertain", age=timedelta(hours=2))
    await lot.add_dead("wrong", "malformed_message", age=timedelta(days=3))
    await lot.add_undelivered("unheard", "nobody-listens-here")
    differences = {
        "REQUEST_ID": "in-doubt",
        "my-replies": lot.topology.results,
        # The answer to its question.
        "--older-than 2d": "--older-than 2d <<< y",
    }
    settings = {"VIDEOGEN_BROKER__URL": around.broker_url}
    async with reader(page("docs/parking.md"), around, settings, differences) as somebody:
        await somebody.follow()

    listed = (somebody.shell.folder / "dead.jsonl").read_text().splitlines()
    assert len(listed) == len([*BLOCKED, "in-doubt", "wrong"])
    assert sorted(await lot.ids(lot.topology.requests, len(BLOCKED))) == BLOCKED
    assert await amqp.count(lot.topology.dead) == 0
    assert await amqp.count(lot.topology.results) == 1


async def test_the_record_of_a_request_is_found_in_each_ledger(
    around: Surroundings, redis_url: str, needs: Needs
) -> None:
    await needs("sqlite3", "sqlite3")
    await needs("redis-cli", "redis-tools")
    file = around.folder / "ledger.db"
    for ledger in (f"sqlite:///{file}", redis_url):
        await answer_one(around, ledger)
    differences = {
        "/data/videogen-ledger.db": str(file),
        "'videogen'": f"'{around.prefix}'",
        "videogen:ledger:": f"{around.prefix}:ledger:",
        "redis-cli": f"redis-cli -u {redis_url}",
        "REQUEST_ID": "answered",
    }
    async with reader(page("docs/ledger.md"), around, differences=differences) as somebody:
        await somebody.follow()


async def test_a_task_that_is_followed_is_found_in_each_ledger(
    around: Surroundings, redis_url: str, needs: Needs
) -> None:
    await needs("sqlite3", "sqlite3")
    await needs("redis-cli", "redis-tools")
    file = around.folder / "ledger.db"
    for ledger in (f"sqlite:///{file}", redis_url):
        await answer_one(around, ledger, followed=True)
    differences = {
        "/data/videogen-ledger.db": str(file),
        "'videogen'": f"'{around.prefix}'",
        "videogen:ledger-": f"{around.prefix}:ledger-",
        "redis-cli": f"redis-cli -u {redis_url}",
    }
    async with reader(page("docs/completion.md"), around, differences=differences) as somebody:
        await somebody.follow()


async def answer_one(around: Surroundings, ledger: str, *, followed: bool = False) -> None:
    """Have a worker with this ledger answer one request, and begin to follow its task where wanted."""
    async with simulated_endpoint() as simulator:
        settings = settings_for(around.broker_url, around.prefix, simulator.base_url, ledger=ledger)
        tracking = TrackingSettings(enabled=followed)
        async with (
            running_worker(settings.model_copy(update={"tracking": tracking})),
            VideogenClient(around.broker_url, Options(prefix=around.prefix)) as client,
        ):
            prompt = "A lighthouse [sim: task-stuck]"
            await client.generate(model="wan2.2-t2v-plus", prompt=prompt, request_id="answered")


async def test_the_simulated_endpoint_refuses_as_its_page_shows(around: Surroundings, needs: Needs) -> None:
    await needs("curl", "curl")
    differences = {SHOWN_PORT: str(around.endpoint_port)}
    async with reader(page("docs/simulator.md"), around, differences=differences) as somebody:
        await somebody.follow()
        ended = await somebody.shell.run(f"curl -s http://127.0.0.1:{around.endpoint_port}/_sim/summary\n")

    assert '"posts": 1, "accepted": 0' in ended.output


async def test_alerts_get_the_address_of_the_runbook(around: Surroundings) -> None:
    async with reader(page("docs/runbook.md"), around, start=ROOT) as somebody:
        await somebody.follow()
