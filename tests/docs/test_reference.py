"""Commands of the reference pages and of the runbook, on real queues, ledgers and endpoints."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest

from service.client import Options, VideogenClient
from service.settings import TrackingSettings
from tests.cli.parked.messages import ParkingLot
from tests.deploy.harness.command import run
from tests.docs.pages import ROOT, page
from tests.docs.reader import SHOWN_PORT, Surroundings, reader
from tests.support.broker import Amqp, announce
from tests.support.collector import collector
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


async def test_the_commands_of_the_readme_replay_what_it_says(around: Surroundings, amqp: Amqp) -> None:
    lot = ParkingLot(amqp, around.broker_url, around.prefix)
    await lot.open()
    await lot.add_dead("late", "unavailable")
    await lot.add_dead("in-doubt", "uncertain")
    await lot.add_dead("wrong", "malformed_message")
    await lot.add_undelivered("unheard", "nobody-listens-here")
    (block,) = page("README.md").left_to(__file__)
    settings = {"VIDEOGEN_BROKER__URL": around.broker_url}
    async with reader(page("README.md"), around, settings, {"--request-id ID": "--request-id in-doubt"}) as somebody:
        await somebody.run(block)

    assert await lot.ids(lot.topology.requests, 2) == ["late", "in-doubt"]
    assert [await amqp.count(queue) for queue in (lot.topology.dead, lot.topology.undelivered)] == [1, 1]


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


async def test_the_extra_brings_what_sends_spans_to_a_collector(around: Surroundings, checkout: Path) -> None:
    folder = around.folder / "environment"
    uv = Path(sys.executable).with_name("uv")
    await asyncio.to_thread(run, uv, "venv", "--quiet", f"--python={sys.executable}", folder)
    pip = folder / "bin" / "pip"
    pip.write_text(f'#!/bin/sh\nexec {uv} pip "$@"\n')
    pip.chmod(0o755)
    async with simulated_endpoint() as simulator, collector() as collected:
        differences = {"'videogen-worker[otel]'": f"'{checkout}[otel]'", "http://collector:4318": collected.url}
        settings = {
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
            "VIRTUAL_ENV": str(folder),
            "VIDEOGEN_BROKER__URL": around.broker_url,
            "VIDEOGEN_ENDPOINT__BASE_URL": simulator.base_url,
            "VIDEOGEN_ENDPOINT__API_KEY": "any-key",
            "VIDEOGEN_LEDGER__URL": "none",
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
        }
        async with reader(page("docs/tracing.md"), around, settings, differences) as somebody:
            await somebody.follow()
            async with VideogenClient(around.broker_url, Options(prefix=around.prefix)) as client:
                await client.generate(model="wan2.2-t2v-plus", prompt="A lighthouse")

    names = {span.name for span in collected.spans}
    assert f"process {around.prefix}.requests" in names
    assert "POST /v2/videos/generations" in names


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
