import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

import pytest

from service.adapters.loop_lag import watch_loop_lag
from service.adapters.system import SystemClock
from service.core.facts import LoopLag
from service.core.ports import Clock
from tests.support.fakes import FakeClock, RecordingObserver


class SteppingClock:
    """Goes on by `step` seconds each time it is read. Keeps port `Clock`."""

    def __init__(self, step: float) -> None:
        self._readings = itertools.count(step=step)

    def now(self) -> datetime:
        raise NotImplementedError

    def monotonic(self) -> float:
        return next(self._readings)


@asynccontextmanager
async def watching(clock: Clock, interval: float) -> AsyncIterator[RecordingObserver]:
    observer = RecordingObserver()
    task = asyncio.create_task(watch_loop_lag(observer, clock, interval))
    yield observer
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_the_lag_is_what_a_timer_took_beyond_its_interval() -> None:
    async with watching(SteppingClock(step=2.5), interval=0.001) as observer:
        facts = await observer.wait_for(LoopLag, count=3)
    assert [fact.seconds for fact in facts] == pytest.approx([2.499] * len(facts))


async def test_a_clock_that_stands_still_gives_no_negative_lag() -> None:
    async with watching(FakeClock(), interval=0.001) as observer:
        assert (await observer.wait_for(LoopLag))[0].seconds == 0


async def test_a_blocked_loop_is_seen() -> None:
    clock = SystemClock()

    def block() -> None:
        end = clock.monotonic() + 0.1
        while clock.monotonic() < end:
            pass

    async with watching(clock, interval=0.001) as observer:
        asyncio.get_running_loop().call_soon(block)
        await observer.until(lambda: any(fact.seconds > 0.05 for fact in observer.of(LoopLag)))
