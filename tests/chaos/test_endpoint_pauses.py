"""An endpoint that refuses the account, or is not there: consumption stops, says why, and goes on by itself."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import pytest
from pydantic import SecretStr

from service.adapters.catalogue_file import load_catalogue
from service.core.facts import ConsumerActive, ConsumptionPaused, PauseReason, Probing
from service.settings import Settings
from service.simulator.options import SimulatorOptions
from service.simulator.server import Simulator
from tests.chaos.harness.in_process import ask_admin, metric, quick_settings, worker_at_work
from tests.chaos.harness.trial import Trial
from tests.chaos.harness.waiting import until
from tests.e2e.test_requests import replies_of
from tests.e2e.test_requests import request as body_of
from tests.support.broker import Amqp
from tests.support.requester import Reply, Requester, open_requester
from tests.support.running import Running, simulated_endpoint

pytestmark = pytest.mark.timeout(300)

# More than the delivery limit of 20: what a probe gave back to the broker that often would be dead-lettered.
MANY_PROBES = 25
OUTAGES = {
    "quota": ("quota", 0),
    "arrears": ("arrears", 0),
    # A single 403 may be about one request's model: the first four of a run are answered as such.
    "five 403 running": ("403", 4),
}


@pytest.mark.parametrize(("outage", "rejected"), OUTAGES.values(), ids=OUTAGES.keys())
async def test_an_account_that_is_refused_in_mid_load_stops_consumption_and_nothing_is_lost(
    outage: str, rejected: int, trial: Trial, broker_url: str, prefix: str, amqp: Amqp
) -> None:
    async with (
        simulated_endpoint(latency=0.05) as simulator,
        worker_at_work(quick_settings(broker_url, prefix, simulator.base_url, trial.folder)) as running,
        open_requester(broker_url, prefix) as requester,
    ):
        await send(requester, 100)
        await simulator.record.wait_until(lambda record: record.accepted >= 30)
        simulator.switches.begin_outage(outage)
        await stops_consuming(running, PauseReason.BLOCKED, within=2.0)
        await is_told(running, PauseReason.BLOCKED, "check key and balance")
        await running.facts.wait_for(Probing, 5)
        assert await amqp.count(f"{prefix}.dead") == rejected
        simulator.switches.end_outage()
        replies = await replies_of(requester, 100)

        assert_answered(replies, 100, rejected=rejected)
        assert simulator.record.summary()["called_again"] == {}
        await is_ready_again(running, PauseReason.BLOCKED)


async def test_a_revoked_key_stops_consumption_until_its_file_holds_another(
    trial: Trial, broker_url: str, prefix: str, amqp: Amqp
) -> None:
    file = trial.folder / "key"
    file.write_text("first")
    async with (
        simulated_endpoint(latency=0.05) as simulator,
        worker_at_work(
            with_key_from(file, quick_settings(broker_url, prefix, simulator.base_url, trial.folder))
        ) as running,
        open_requester(broker_url, prefix) as requester,
    ):
        simulator.switches.accept_key("first")
        await send(requester, 100)
        await simulator.record.wait_until(lambda record: record.accepted >= 30)
        simulator.switches.accept_key("second")
        await stops_consuming(running, PauseReason.BLOCKED, within=2.0)
        await is_told(running, PauseReason.BLOCKED, "HTTP 401")
        await running.facts.wait_for(Probing, 3)
        assert await amqp.count(f"{prefix}.dead") == 0
        file.write_text("second")
        replies = await replies_of(requester, 100)

        assert_answered(replies, 100)
        assert simulator.record.accepted == 100
        await is_ready_again(running, PauseReason.BLOCKED)


async def test_one_message_that_is_probed_again_and_again_is_never_dead_lettered(
    trial: Trial, broker_url: str, prefix: str, amqp: Amqp
) -> None:
    async with (
        simulated_endpoint() as simulator,
        worker_at_work(quick_settings(broker_url, prefix, simulator.base_url, trial.folder)) as running,
        open_requester(broker_url, prefix) as requester,
    ):
        simulator.switches.begin_outage("quota")
        await send(requester, 1)
        await running.facts.wait_for(Probing, MANY_PROBES, guard=30)
        # The first POST closed the gate, each probe made one more, and the last may be under way.
        assert simulator.record.count >= MANY_PROBES
        assert await amqp.count(f"{prefix}.dead") == 0
        simulator.switches.end_outage()
        (reply,) = await replies_of(requester, 1)

        assert (reply.body["status"], reply.body["attempts"]) == ("submitted", simulator.record.count)


async def test_probes_come_at_growing_intervals_up_to_the_cap(trial: Trial, broker_url: str, prefix: str) -> None:
    settings = quick_settings(broker_url, prefix, "http://127.0.0.1:9", trial.folder, probe_first=0.2, probe_cap=1.6)
    async with simulated_endpoint() as simulator:
        simulator.switches.begin_outage("quota")
        there = settings.endpoint.model_copy(update={"base_url": simulator.base_url})
        async with (
            worker_at_work(settings.model_copy(update={"endpoint": there})),
            open_requester(broker_url, prefix) as requester,
        ):
            await send(requester, 1)
            await simulator.record.wait_for(6)

    arrivals = [post.at for post in simulator.record.posts]
    gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(arrivals)][:5]
    waits = [0.2, 0.4, 0.8, 1.6, 1.6]
    assert all(wait <= gap < wait + 0.2 + wait / 2 for gap, wait in zip(gaps, waits, strict=True)), gaps


async def test_a_dead_endpoint_stops_consumption_until_it_is_back(
    trial: Trial, broker_url: str, prefix: str, amqp: Amqp
) -> None:
    simulator = Simulator(SimulatorOptions(latency=0.02), load_catalogue(None))
    async with simulator:
        base_url = simulator.base_url
    settings = quick_settings(broker_url, prefix, base_url, trial.folder)
    async with worker_at_work(settings) as running, open_requester(broker_url, prefix) as requester:
        async with simulator:
            await send(requester, 20)
            before = await replies_of(requester, 20)
        await send(requester, 60, first=20)
        await stops_consuming(running, PauseReason.ENDPOINT_DOWN, within=5.0)
        await is_told(running, PauseReason.ENDPOINT_DOWN, "nothing listens at the endpoint")
        await running.facts.wait_for(Probing, 5)
        assert await amqp.count(f"{prefix}.dead") == 0
        async with simulator:
            after = await replies_of(requester, 60)

            assert_answered([*before, *after], 80)
            await is_ready_again(running, PauseReason.ENDPOINT_DOWN)


async def test_an_endpoint_that_breaks_every_answer_off_costs_few_requests_and_the_rest_wait(
    trial: Trial, broker_url: str, prefix: str
) -> None:
    async with simulated_endpoint(latency=0.02) as simulator:
        quick = quick_settings(broker_url, prefix, simulator.base_url, trial.folder, probe_first=0.5, probe_cap=0.5)
        wary = quick.endpoint.model_copy(update={"doubt_after": 5})
        async with (
            worker_at_work(quick.model_copy(update={"endpoint": wary})) as running,
            open_requester(broker_url, prefix) as requester,
        ):
            simulator.switches.begin_outage("reset-before")
            await send(requester, 60)
            await stops_consuming(running, PauseReason.ENDPOINT_DOWN, within=5.0)
            await is_told(running, PauseReason.ENDPOINT_DOWN, "no answer to rely on")
            simulator.switches.end_outage()
            replies = await replies_of(requester, 60)

    ends = Counter(reply.body.get("error", {}).get("code", "submitted") for reply in replies)
    assert ends.keys() == {"submitted", "uncertain"}
    # Those that closed the gate, the calls under way meanwhile, and a probe or two.
    assert 5 <= ends["uncertain"] <= 5 + quick.worker.concurrency + 2
    assert simulator.record.count == 60


async def send(requester: Requester, count: int, first: int = 0) -> None:
    for number in range(first, first + count):
        await requester.send(body_of("a cat"), f"r{number}")


def with_key_from(file: Path, settings: Settings) -> Settings:
    endpoint = settings.endpoint.model_copy(update={"api_key": SecretStr(file.read_text()), "api_key_file": file})
    return settings.model_copy(update={"endpoint": endpoint})


async def stops_consuming(running: Running, reason: PauseReason, within: float) -> None:
    """Wait until the pause is said and the broker has confirmed that it sends no more."""
    async with asyncio.timeout(within):
        await running.facts.until(
            lambda: any(fact.reason is reason and fact.paused for fact in running.facts.of(ConsumptionPaused))
        )
        await running.facts.until(lambda: ConsumerActive(active=False) in running.facts.facts)


async def is_told(running: Running, reason: PauseReason, why: str) -> None:
    """Look at readiness and metric in mid-pause."""
    status, text = await ask_admin(running, "/readyz")
    assert (status, f"paused ({reason})" in text, why in text) == (503, True, True), text
    assert await metric(running, f'videogen_consumption_paused{{reason="{reason}"}}') == 1.0


async def is_ready_again(running: Running, reason: PauseReason) -> None:
    async def ready() -> bool:
        return (await ask_admin(running, "/readyz"))[0] == 200

    await until(ready, "ready again")
    assert await metric(running, f'videogen_consumption_paused{{reason="{reason}"}}') == 0.0


def assert_answered(replies: Iterable[Reply], count: int, *, rejected: int = 0) -> None:
    """Each of `count` requests has one result: submitted, but for those `rejected`."""
    ends = {reply.correlation_id: reply.body.get("error", {}).get("code", "submitted") for reply in replies}
    assert len(ends) == count
    expected = {"submitted": count - rejected, "rejected": rejected}
    assert Counter(ends.values()) == Counter({end: times for end, times in expected.items() if times})
