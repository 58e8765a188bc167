"""Requests that wait at the broker: what travels with them, and what ends their wait."""

from datetime import UTC, datetime, timedelta

from service.core.facts import Settled
from service.core.outcome import Postponed
from service.settings.value_types import parse_tiers
from tests.chaos.harness.in_process import QUICK_RETRY, quick_settings, worker_at_work
from tests.chaos.harness.trial import Trial
from tests.e2e.test_requests import replies_of
from tests.e2e.test_requests import request as body_of
from tests.support.broker import Amqp
from tests.support.requester import open_requester
from tests.support.running import simulated_endpoint


async def test_a_wait_beyond_the_first_tier_goes_to_the_queue_that_fits(
    trial: Trial, broker_url: str, prefix: str
) -> None:
    async with (
        simulated_endpoint() as simulator,
        worker_at_work(quick_settings(broker_url, prefix, simulator.base_url, trial.folder)) as running,
        open_requester(broker_url, prefix) as requester,
    ):
        await requester.send(body_of("a cat [sim: 503, 429 retry-after=1.5 then 200]"), "r0")
        (reply,) = await replies_of(requester, 1)
        await running.facts.until(lambda: len(running.facts.of(Settled)) == 2)

    assert (reply.body["status"], reply.body["attempts"]) == ("submitted", 3)
    (moved,) = [fact.outcome for fact in running.facts.of(Settled) if isinstance(fact.outcome, Postponed)]
    assert (moved.tier.name, moved.history.attempts) == ("2s", 2)
    refused, accepted = (post.at for post in simulator.record.posts[1:])
    assert accepted - refused >= timedelta(seconds=1.5)


async def test_a_deadline_that_passes_in_a_wait_queue_ends_as_expired_without_another_call(
    trial: Trial, broker_url: str, prefix: str
) -> None:
    retry = QUICK_RETRY.model_copy(update={"tiers": parse_tiers("1s")})
    async with (
        simulated_endpoint() as simulator,
        worker_at_work(quick_settings(broker_url, prefix, simulator.base_url, trial.folder, retry=retry)),
        open_requester(broker_url, prefix) as requester,
    ):
        deadline = datetime.now(UTC) + timedelta(seconds=2.5)
        # The server wants no call for 3 whole seconds from now, so the deadline passes on the way.
        await requester.send(
            body_of("a cat [sim: 429 retry-after=2.2]"), "r0", headers={"x-deadline": deadline.isoformat()}
        )
        (reply,) = await replies_of(requester, 1)

    assert (reply.body["error"]["code"], reply.body["error"]["charged"], reply.body["attempts"]) == ("expired", "no", 1)
    assert simulator.record.count == 1


async def test_attempts_and_the_first_sight_of_a_request_travel_through_the_wait_queues(
    trial: Trial, broker_url: str, prefix: str, amqp: Amqp
) -> None:
    retry = QUICK_RETRY.model_copy(update={"attempts": 2, "max_age": 3.5})
    began = datetime.now(UTC)
    async with (
        simulated_endpoint() as simulator,
        worker_at_work(quick_settings(broker_url, prefix, simulator.base_url, trial.folder, retry=retry)),
        open_requester(broker_url, prefix) as requester,
    ):
        await requester.send(body_of("a cat [sim: 503]"), "r0")
        (reply,) = await replies_of(requester, 1)
        copy = await amqp.receive(f"{prefix}.dead")

    calls = simulator.record.count
    assert calls > 2
    assert (reply.body["error"]["code"], reply.body["attempts"]) == ("unavailable", calls)
    assert copy.headers["x-attempts"] == calls
    first_seen = datetime.fromisoformat(str(copy.headers["x-first-seen"]))
    assert timedelta(seconds=-1) <= first_seen - began <= timedelta(seconds=1)
