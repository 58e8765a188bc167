"""Calls that are paid for, and waits that the endpoint asks for."""

from datetime import timedelta
from itertools import pairwise

import pytest

from service.settings import RetrySettings
from tests.chaos.harness.in_process import quick_settings, worker_at_work
from tests.chaos.harness.trial import Trial
from tests.e2e.test_requests import replies_of, request
from tests.support.requester import open_requester
from tests.support.running import running_worker, simulated_endpoint

LOST_ANSWERS = (
    "hang",
    "latency=60",
    "close",
    "reset",
    "half",
    "truncated",
    "accept-then-502",
    "accept-then-504",
    "html 504",
    "200 no-task-id",
)
# Waits of up to 3 s are the first tier's own; what asks for more is given up within a second.
RETRY = RetrySettings(attempts=3, base=0.05, cap=0.1, budget=4.0, max_age=4.0)


@pytest.mark.pain(1)
async def test_a_call_whose_answer_is_lost_is_made_once_whoever_asks_again(
    trial: Trial, broker_url: str, prefix: str
) -> None:
    async with simulated_endpoint() as simulator:
        settings = quick_settings(broker_url, prefix, simulator.base_url, trial.folder, timeout=1.0, concurrency=10)
        # The producer asks a second time, of another run of the worker.
        for _ in range(2):
            async with running_worker(settings), open_requester(broker_url, prefix) as requester:
                for number, fault in enumerate(LOST_ANSWERS):
                    await requester.send(request(f"a cat [sim: {fault}]"), f"r{number}")
                replies = await replies_of(requester, len(LOST_ANSWERS))

                assert {reply.body["error"]["code"] for reply in replies} == {"uncertain"}
        async with worker_at_work(settings):
            pass

    names = sorted(post.idempotency_key or "" for post in simulator.record.posts)
    assert names == [f"r{number}" for number in range(len(LOST_ANSWERS))]


WAITS: dict[str, tuple[str, tuple[float, ...]]] = {
    "seconds": ("429 retry-after=1 then 200", (1.0,)),
    "a fraction": ("429 retry-after=0.6 then 200", (0.6,)),
    "milliseconds": ("429 retry-after-ms=600 then 200", (0.6,)),
    # A date has whole seconds: up to one of the two is gone when it is read.
    "a date": ("429 retry-after=date+2 then 200", (1.0,)),
    "a date in the past": ("429 retry-after=date-5 then 200", (0.0,)),
    "garbage": ("429 retry-after=soon then 200", (0.0,)),
    "the latest of two, longer": ("429 retry-after=0.2, 429 retry-after=0.8 then 200", (0.2, 0.8)),
    "the latest of two, shorter": ("429 retry-after=0.8, 429 retry-after=0.2 then 200", (0.8, 0.2)),
}


@pytest.mark.pain(17)
@pytest.mark.parametrize(("directive", "floors"), WAITS.values(), ids=WAITS.keys())
async def test_the_next_call_comes_no_earlier_and_not_much_later_than_the_endpoint_asks(
    directive: str, floors: tuple[float, ...], trial: Trial, broker_url: str, prefix: str
) -> None:
    async with simulated_endpoint() as simulator:
        settings = quick_settings(broker_url, prefix, simulator.base_url, trial.folder, retry=RETRY)
        async with running_worker(settings), open_requester(broker_url, prefix) as requester:
            await requester.send(request(f"a cat [sim: {directive}]"), "r0")
            (reply,) = await replies_of(requester, 1)

    assert reply.body["status"] == "submitted"
    gaps = [(later.at - earlier.at) for earlier, later in pairwise(simulator.record.posts)]
    assert len(gaps) == len(floors)
    # The backoff of our own is 0.1 s at most; the rest is for a busy machine.
    for gap, floor in zip(gaps, floors, strict=True):
        assert timedelta(seconds=floor) <= gap < timedelta(seconds=floor + 2.0)


@pytest.mark.pain(17)
async def test_a_wait_of_years_is_not_begun(trial: Trial, broker_url: str, prefix: str) -> None:
    async with simulated_endpoint() as simulator:
        settings = quick_settings(broker_url, prefix, simulator.base_url, trial.folder, retry=RETRY)
        async with running_worker(settings), open_requester(broker_url, prefix) as requester:
            await requester.send(request("a cat [sim: 429 retry-after=99999999]"), "r0")
            (reply,) = await replies_of(requester, 1)

    assert (reply.body["error"]["code"], reply.body["error"]["retryable"]) == ("rate_limited", True)
    assert simulator.record.count == 1
