import asyncio
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.core.admission import ConcurrencyLimit
from service.core.drain import Drain, Draining

# More rounds of the loop than any hand-over of a place takes.
ROUNDS = 8


async def _rounds(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)  # one round of the event loop, no time


class Crowd:
    """Tasks that hold a place until they are let go, and the most that ever held one at once."""

    def __init__(self, limit: ConcurrencyLimit) -> None:
        self._limit = limit
        self.inside = 0
        self.most = 0
        self.entered: list[int] = []
        self.leave = asyncio.Event()

    async def member(self, number: int = 0) -> None:
        async with self._limit.slot():
            self.inside += 1
            self.most = max(self.most, self.inside)
            self.entered.append(number)
            try:
                await self.leave.wait()
            finally:
                self.inside -= 1


async def _all_places_are_free(limit: ConcurrencyLimit, places: int) -> None:
    crowd = Crowd(limit)
    members = [asyncio.ensure_future(crowd.member()) for _ in range(places)]
    await _rounds(ROUNDS)
    assert crowd.inside == places
    crowd.leave.set()
    await asyncio.gather(*members)


async def test_never_more_than_the_limit_are_inside() -> None:
    crowd = Crowd(ConcurrencyLimit(3, Drain()))
    members = [asyncio.ensure_future(crowd.member(number)) for number in range(10)]
    await _rounds(ROUNDS)
    assert crowd.inside == 3

    crowd.leave.set()
    async with asyncio.timeout(1):
        await asyncio.gather(*members)

    assert crowd.most == 3


async def test_waiters_are_admitted_in_the_order_of_their_arrival() -> None:
    crowd = Crowd(ConcurrencyLimit(1, Drain()))
    crowd.leave.set()

    async with asyncio.timeout(1):
        await asyncio.gather(*(crowd.member(number) for number in range(20)))

    assert crowd.entered == list(range(20))


async def test_a_drain_frees_every_waiter_and_leaves_the_holders_alone() -> None:
    drain = Drain()
    limit = ConcurrencyLimit(1, drain)
    crowd = Crowd(limit)
    holder, *waiters = [asyncio.ensure_future(crowd.member()) for _ in range(4)]
    await _rounds(ROUNDS)

    drain.begin()
    async with asyncio.timeout(1):
        outcomes = await asyncio.gather(*waiters, return_exceptions=True)

    assert [type(outcome) for outcome in outcomes] == [Draining] * 3
    assert not holder.done()
    crowd.leave.set()
    await holder


async def test_nothing_is_admitted_after_the_drain_began_even_where_a_place_is_free() -> None:
    drain = Drain()
    drain.begin()

    with pytest.raises(Draining):
        async with ConcurrencyLimit(1, drain).slot():
            pytest.fail("admitted while draining")


async def test_an_error_inside_gives_the_place_back() -> None:
    limit = ConcurrencyLimit(1, Drain())

    with pytest.raises(ValueError, match="mine"):
        async with limit.slot():
            raise ValueError("mine")

    await _all_places_are_free(limit, 1)


@pytest.mark.parametrize(("free_after", "cancel_after"), list(product(range(ROUNDS), repeat=2)))
async def test_no_place_is_lost_when_a_waiter_is_cancelled_at_any_moment(free_after: int, cancel_after: int) -> None:
    limit = ConcurrencyLimit(1, Drain())
    holding, waiting = Crowd(limit), Crowd(limit)
    holder = asyncio.ensure_future(holding.member())
    await _rounds(ROUNDS)
    waiter = asyncio.ensure_future(waiting.member())

    for moment in range(2 * ROUNDS):
        if moment == free_after:
            holding.leave.set()
        if moment == cancel_after:
            waiter.cancel()
        await _rounds(1)

    await asyncio.gather(holder, waiter, return_exceptions=True)
    await _all_places_are_free(limit, 1)


@settings(max_examples=200, deadline=None)
@given(
    places=st.integers(1, 3),
    cancels=st.lists(st.tuples(st.integers(0, 7), st.integers(0, ROUNDS)), max_size=10),
    frees=st.lists(st.integers(0, ROUNDS), min_size=8, max_size=8),
)
async def test_no_place_is_lost_in_a_crowd(places: int, cancels: list[tuple[int, int]], frees: list[int]) -> None:
    limit = ConcurrencyLimit(places, Drain())
    crowds = [Crowd(limit) for _ in frees]
    members = [asyncio.ensure_future(crowd.member()) for crowd in crowds]

    for moment in range(ROUNDS + 1):
        for number, when in cancels:
            if when == moment:
                members[number].cancel()
        for number, when in enumerate(frees):
            if when == moment:
                crowds[number].leave.set()
        await _rounds(1)
        assert sum(crowd.inside for crowd in crowds) <= places

    async with asyncio.timeout(1):
        await asyncio.gather(*members, return_exceptions=True)
    await _all_places_are_free(limit, places)
