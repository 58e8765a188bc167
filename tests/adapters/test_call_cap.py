import asyncio
import selectors
from itertools import pairwise

import pytest
from typing_extensions import override

from service.adapters.call_cap import LeakyCap
from service.core.facts import PauseReason
from service.core.placement import GivenBack, Withheld
from service.core.ports import CallCap
from tests.core.rate_scene import RateScene, RateWorker
from tests.support import virtual_time
from tests.support.virtual_time import in_virtual_time, loop_time


@pytest.fixture(autouse=True)
def _time_moves_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let virtual time pass by a microsecond at least: the library rounds, and asks again until some has passed."""

    class Ticking(virtual_time._JumpingSelector):
        @override
        def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
            return super().select(None if timeout is None else max(timeout, 1e-6))

    monkeypatch.setattr(virtual_time, "_JumpingSelector", Ticking)


CAPS = [0.2, 1.0, 2.0, 2.5, 10.0, 19.0, 20.0, 50.0, 333.0]


def starts(cap: float, seconds: float, tasks: int = 40) -> list[float]:
    """When calls start that come as fast as they may."""

    async def scenario() -> list[float]:
        limiter: CallCap = LeakyCap(cap)
        at: list[float] = []

        async def caller() -> None:
            while loop_time() < seconds:
                await limiter.acquire()
                at.append(loop_time())

        await asyncio.gather(*(caller() for _ in range(tasks)))
        return [moment for moment in at if moment <= seconds]

    return in_virtual_time(scenario)


@pytest.mark.parametrize("cap", CAPS)
def test_never_more_than_the_cap_start_in_any_second(cap: float) -> None:
    at = starts(cap, 20.0)
    second = max(1.0, 1.0 / cap)
    most = max(sum(first <= moment < first + second for moment in at) for first in at)
    assert most <= -(-cap * second // 1)


@pytest.mark.parametrize("cap", CAPS)
def test_all_but_a_twentieth_of_the_cap_can_be_used(cap: float) -> None:
    seconds = 40 / cap
    assert len(starts(cap, seconds)) >= 0.94 * cap * seconds


def test_after_a_rest_calls_do_not_pile_up() -> None:
    async def scenario() -> None:
        limiter = LeakyCap(10.0)
        await asyncio.sleep(3600)
        at = []
        for _ in range(5):
            await limiter.acquire()
            at.append(loop_time())
        assert all(later - earlier >= 0.1 for earlier, later in pairwise(at))

    in_virtual_time(scenario)


def test_ready_tells_whether_acquiring_would_wait() -> None:
    async def scenario() -> None:
        limiter = LeakyCap(10.0)
        assert limiter.ready()
        await limiter.acquire()
        assert not limiter.ready()
        await asyncio.sleep(0.2)
        assert limiter.ready()

    in_virtual_time(scenario)


def test_a_wait_that_is_given_up_uses_nothing() -> None:
    async def scenario() -> None:
        limiter = LeakyCap(1.0)
        await limiter.acquire()
        waiting = [asyncio.ensure_future(limiter.acquire()) for _ in range(10)]
        await asyncio.sleep(0)
        for wait in waiting:
            wait.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        await asyncio.sleep(2)
        assert limiter.ready()

    in_virtual_time(scenario)


@pytest.mark.parametrize("cap", [5.0, 50.0])
def test_a_worker_keeps_to_its_cap_whatever_the_endpoint_takes(cap: float) -> None:
    async def scenario() -> None:
        scene = RateScene(None)
        worker = RateWorker(scene.endpoint, 0, 64, LeakyCap(cap))
        worker.work(64)
        await asyncio.sleep(20)
        await worker.rest()
        at = [call.at for call in scene.endpoint.calls]
        assert max(sum(first <= moment < first + 1 for moment in at) for first in at) <= cap
        assert len(at) >= 0.94 * cap * 20

    in_virtual_time(scenario)


@pytest.mark.parametrize("ending", ["drain", "gate"])
def test_a_wait_for_the_cap_holds_no_place_and_ends_with_a_drain_or_a_closed_gate(ending: str) -> None:
    async def scenario() -> None:
        scene = RateScene(None)
        worker = RateWorker(scene.endpoint, 0, 64, LeakyCap(0.01))
        await worker.place()
        waiting = [asyncio.create_task(worker.place()) for _ in range(5)]
        await asyncio.sleep(5)
        assert worker.turns.in_flight == 0
        ended = loop_time()
        if ending == "drain":
            worker.drain.begin()
        else:
            worker.gate.close(PauseReason.BLOCKED, "why")
        outcomes = await asyncio.gather(*waiting)
        assert set(outcomes) == {GivenBack(0) if ending == "drain" else Withheld(0, doubt=False, last=None)}
        assert loop_time() == pytest.approx(ended, abs=0.01)

    in_virtual_time(scenario)
