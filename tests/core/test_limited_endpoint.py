"""What the endpoint of a busy worker sees: the promises of spec section 5.4 in figures."""

import asyncio

import pytest

from service.core.facts import PaceChanged
from service.core.placement import Obtained
from tests.core.rate_scene import RateScene, RateWorker
from tests.support.virtual_time import in_virtual_time, loop_time

FOUND = 10.0
"""Seconds in which a limit is found."""

FOUND_ANEW = 15.0
"""Seconds in which a limit that changed is found."""


def played(seconds: float, scene: RateScene, *changes: tuple[float, float]) -> RateScene:
    in_virtual_time(lambda: scene.run(seconds, changes))
    return scene


@pytest.mark.parametrize(
    ("limit", "workers", "latency", "retry_after", "seconds"),
    [
        *(
            (20.0, workers, latency, ra, 60.0)
            for workers in (1, 4)
            for latency in (0.05, 0.5, 2.0)
            for ra in (True, False)
        ),
        *((100.0, workers, latency, True, 40.0) for workers in (1, 4) for latency in (0.05, 2.0)),
        (100.0, 4, 0.5, False, 40.0),
        (300.0, 1, 0.05, True, 16.0),
        (300.0, 4, 0.5, True, 16.0),
        (300.0, 1, 2.0, False, 16.0),
    ],
)
def test_a_limit_is_used_and_kept_to(
    limit: float, workers: int, latency: float, seconds: float, *, retry_after: bool
) -> None:
    concurrency = max(64, round(3 * limit * latency / workers))
    scene = played(
        seconds, RateScene(limit, workers, latency=latency, retry_after=retry_after, concurrency=concurrency)
    )
    assert scene.goodput(FOUND, seconds) >= 0.95 * limit
    assert scene.refused(FOUND, seconds) <= 0.05


@pytest.mark.parametrize(("limit", "workers"), [(20.0, 1), (100.0, 1), (100.0, 4)])
def test_a_limit_is_kept_to_where_a_refusal_takes_as_long_as_any_call(limit: float, workers: int) -> None:
    scene = played(60.0, RateScene(limit, workers, latency=0.5, refuse_in=None))
    assert scene.goodput(FOUND, 60.0) >= 0.95 * limit
    assert scene.refused(FOUND, 60.0) <= 0.05


@pytest.mark.parametrize(("limit", "workers"), [(20.0, 1), (20.0, 4), (100.0, 1), (100.0, 4)])
def test_a_limit_that_halves_and_one_that_doubles_are_found(limit: float, workers: int) -> None:
    scene = played(100.0, RateScene(limit, workers), (30.0, limit / 2), (65.0, limit))
    assert scene.goodput(30.0 + FOUND_ANEW, 65.0) >= 0.95 * limit / 2
    assert scene.goodput(65.0 + FOUND_ANEW, 100.0) >= 0.95 * limit
    assert scene.refused(65.0 + FOUND_ANEW, 100.0) <= 0.055


@pytest.mark.parametrize(("limit", "seconds"), [(20.0, 250.0), (100.0, 250.0)])
def test_four_workers_share_a_limit_evenly_over_some_minutes(limit: float, seconds: float) -> None:
    scene = played(seconds, RateScene(limit, 4))
    assert scene.deviation(FOUND, seconds) <= 0.2


@pytest.mark.parametrize(("share", "kept_up"), [(0.01, 0.9), (0.03, 0.85)])
def test_refusals_that_have_nothing_to_do_with_the_rate_do_not_slow_it_down(share: float, kept_up: float) -> None:
    scene = played(60.0, RateScene(None, at_random=share))
    # 64 calls of 0.2 s and 5 ms on the way: 312 in a second.
    assert scene.goodput(FOUND, 60.0) >= kept_up * 64 / 0.205 * (1 - share)


def test_with_many_such_refusals_work_goes_on() -> None:
    scene = played(60.0, RateScene(None, at_random=0.05))
    assert scene.goodput(FOUND, 60.0) >= 20


def test_a_limit_is_used_where_some_refusals_have_nothing_to_do_with_it() -> None:
    scene = played(60.0, RateScene(100.0, at_random=0.01, retry_after=False))
    assert scene.goodput(FOUND, 60.0) >= 95
    assert scene.refused(FOUND, 60.0) <= 0.05


def test_hardly_a_request_uses_up_its_attempts() -> None:
    scene = played(60.0, RateScene(20.0, 4))
    assert sum(worker.gave_up for worker in scene.team) <= 0.002 * len(scene.endpoint.calls)


def test_the_first_burst_into_a_limit_costs_few_refusals() -> None:
    scene = played(5.0, RateScene(20.0, 1))
    assert sum(not call.accepted for call in scene.endpoint.calls) <= 20


def test_a_worker_that_is_never_refused_is_not_held_back() -> None:
    scene = played(10.0, RateScene(None, latency=0.05))
    # 64 calls of 50 ms and 5 ms on the way: 1164 in a second.
    assert scene.goodput(0.0, 10.0) >= 0.97 * 64 / 0.055
    assert not scene.team[0].observer.of(PaceChanged)


def test_what_is_found_is_told_and_when_it_is_over() -> None:
    async def scenario() -> RateScene:
        scene = RateScene(20.0)
        await scene.run(30.0)
        await asyncio.sleep(61.0)
        await scene.team[0].place()
        return scene

    scene = in_virtual_time(scenario)
    told = scene.team[0].observer.of(PaceChanged)
    found = [fact for fact in told if fact.rate is not None]
    assert told[0] == found[0]
    assert 19 < (found[-1].rate or 0.0) < 30
    # A second's worth of starts and one: calls take 0.2 s.
    assert found[-1].concurrency == pytest.approx(found[-1].rate, abs=2)
    assert told[-1] == PaceChanged(None, 64)
    assert len(told) < 0.5 * len(scene.endpoint.calls)


def test_a_request_that_was_refused_waits_for_its_turn_once_and_not_twice() -> None:
    async def scenario() -> None:
        scene = RateScene(1.0, retry_after=True)
        worker = RateWorker(scene.endpoint, 0, 64)
        assert isinstance(await worker.place(), Obtained)
        asked = loop_time()
        placed = await worker.place()
        assert isinstance(placed, Obtained)
        assert placed.record.attempts == 2
        # Refused at once, and asked to wait for a second.
        assert loop_time() - asked < 1.5

    in_virtual_time(scenario)
