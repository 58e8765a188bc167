import asyncio

import pytest

from service.core.drain import Drain, Draining


async def test_a_new_drain_has_not_begun() -> None:
    assert not Drain().begun


async def test_a_drain_begins_once_and_stays_begun() -> None:
    drain = Drain()

    drain.begin()
    drain.begin()

    assert drain.begun
    async with asyncio.timeout(1):
        await drain.wait()


async def test_a_pause_ends_by_itself() -> None:
    async with asyncio.timeout(1):
        await Drain().pause(0.001)


async def test_a_pause_is_given_up_when_the_drain_begins() -> None:
    drain = Drain()
    pause = asyncio.ensure_future(drain.pause(3600))

    drain.begin()

    with pytest.raises(Draining):
        async with asyncio.timeout(1):
            await pause


async def test_a_pause_does_not_start_after_the_drain_began() -> None:
    drain = Drain()
    drain.begin()

    with pytest.raises(Draining):
        async with asyncio.timeout(1):
            await drain.pause(3600)


async def test_work_that_is_done_first_wins_the_race() -> None:
    done = asyncio.Event()

    async def work() -> None:
        done.set()

    await Drain().race(work())

    assert done.is_set()


async def test_work_that_loses_the_race_is_cancelled() -> None:
    drain = Drain()
    started, cancelled = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    race = asyncio.ensure_future(drain.race(work()))
    async with asyncio.timeout(1):
        await started.wait()
        drain.begin()
        with pytest.raises(Draining):
            await race
        await cancelled.wait()


async def test_a_cancelled_race_cancels_its_work() -> None:
    started, cancelled = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    race = asyncio.ensure_future(Drain().race(work()))
    async with asyncio.timeout(1):
        await started.wait()
        race.cancel()
        with pytest.raises(asyncio.CancelledError):
            await race
        await cancelled.wait()


async def test_the_error_of_the_work_is_raised() -> None:
    async def work() -> None:
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        await Drain().race(work())


async def test_a_race_leaves_no_task_behind() -> None:
    drain = Drain()
    before = asyncio.all_tasks()

    for _ in range(100):
        await drain.race(_nothing())

    await _settled(before)


async def _nothing() -> None:
    return


async def _settled(before: set[asyncio.Task[object]]) -> None:
    extra = asyncio.all_tasks() - before
    if extra:
        async with asyncio.timeout(1):
            await asyncio.wait(extra)
    assert asyncio.all_tasks() <= before
