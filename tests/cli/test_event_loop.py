import asyncio

import pytest

from service.cli.event_loop import run_to_the_end


def test_the_result_of_the_work_comes_back() -> None:
    async def work() -> int:
        await asyncio.sleep(0)
        return 7

    assert run_to_the_end(work()) == 7


def test_a_failure_of_the_work_comes_out() -> None:
    async def work() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_to_the_end(work())


def test_tasks_that_are_left_are_cancelled_and_may_tidy_up() -> None:
    tidied = []

    async def tidy() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            tidied.append(True)

    async def work() -> None:
        work.task = asyncio.create_task(tidy())  # type: ignore[attr-defined] # keeps it alive
        await asyncio.sleep(0)

    run_to_the_end(work())

    assert tidied == [True]


def test_a_task_that_swallows_its_cancellation_does_not_hold_up_the_end() -> None:
    async def stubborn() -> None:
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                continue

    async def work() -> str:
        work.task = asyncio.create_task(stubborn())  # type: ignore[attr-defined] # keeps it alive
        await asyncio.sleep(0)
        return "done"

    assert run_to_the_end(work(), patience=0.01) == "done"
