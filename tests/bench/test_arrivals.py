import asyncio

from tests.bench.arrivals import Arrivals, Ended

RESULT = b'{"status": "submitted", "task_id": "t"}'


async def test_the_wait_ends_with_the_last_result() -> None:
    results = Arrivals()
    waiting = asyncio.create_task(results.wait_for(2, limit=20.0, silence=20.0))
    await asyncio.sleep(0)
    results.arrived("a", RESULT)
    results.arrived("b", RESULT)
    assert await waiting is Ended.ALL


async def test_the_wait_ends_when_no_result_comes_for_long() -> None:
    results = Arrivals()
    results.arrived("a", RESULT)
    assert await results.wait_for(2, limit=20.0, silence=0.02) is Ended.SILENCE


async def test_the_wait_ends_at_its_limit_although_results_come() -> None:
    results = Arrivals()

    async def go_on() -> None:
        while True:
            results.arrived("a", RESULT)
            await asyncio.sleep(0.005)

    coming = asyncio.create_task(go_on())
    assert await results.wait_for(1_000_000, limit=0.05, silence=20.0) is Ended.LIMIT
    coming.cancel()


def test_something_is_done_in_the_moment_of_the_result_that_is_wanted() -> None:
    results = Arrivals()
    seen: list[int] = []
    results.at(2, lambda: seen.append(len(results.times)))
    for name in "abc":
        results.arrived(name, RESULT)
    assert seen == [2]


def test_a_result_without_a_task_id_is_odd() -> None:
    results = Arrivals()
    results.arrived("a", RESULT)
    results.arrived("b", b'{"status": "failed", "error": {}}')
    assert results.odd == 1
