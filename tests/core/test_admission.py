import asyncio
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.core.admission import ConcurrencyLimit, GatedAdmission
from service.core.drain import Drain, Draining
from service.core.facts import PauseReason
from service.core.gate import Gate, GateClosed, HeldTooLong
from service.core.ports import Admission
from tests.support.fakes import RecordingObserver
from tests.support.virtual_time import in_virtual_time

# More rounds of the loop than any hand-over of a place takes.
ROUNDS = 8


async def _rounds(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)  # one round of the event loop, no time


class Crowd:
    """Tasks that hold a place until they are let go, and the most that ever held one at once."""

    def __init__(self, limit: ConcurrencyLimit | Admission) -> None:
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


class Gated:
    """A concurrency limit behind a gate, and a crowd before both."""

    def __init__(self, places: int = 1) -> None:
        self.drain = Drain()
        self.gate = Gate(self.drain, RecordingObserver(), patience=20.0)
        self.limit = ConcurrencyLimit(places, self.drain)
        self.admission = GatedAdmission(self.limit, self.gate)
        self.crowd = Crowd(self.admission)

    async def come(self) -> "asyncio.Task[None]":
        task = asyncio.create_task(self.crowd.member())
        await _rounds(ROUNDS)
        return task


async def test_no_place_is_held_while_waiting_at_the_gate() -> None:
    scene = Gated()
    scene.gate.close(PauseReason.LEDGER, "why")
    member = await scene.come()

    await _all_places_are_free(scene.limit, 1)

    scene.gate.open(PauseReason.LEDGER)
    await _rounds(ROUNDS)
    assert scene.crowd.inside == 1
    scene.crowd.leave.set()
    await member


async def test_a_gate_that_closes_while_one_waits_for_a_place_is_heeded_and_frees_the_place() -> None:
    scene = Gated()
    holding = Crowd(scene.limit)
    holder = asyncio.create_task(holding.member())
    await _rounds(ROUNDS)
    member = await scene.come()
    scene.gate.close(PauseReason.LEDGER, "why")
    holding.leave.set()
    await holder
    await _rounds(ROUNDS)
    assert scene.crowd.inside == 0
    await _all_places_are_free(scene.limit, 1)

    scene.gate.open(PauseReason.LEDGER)
    scene.crowd.leave.set()
    async with asyncio.timeout(1):
        await member

    assert scene.crowd.most == 1


@pytest.mark.parametrize("reason", [PauseReason.BLOCKED, PauseReason.ENDPOINT_DOWN])
async def test_whoever_waits_for_a_place_goes_away_when_the_endpoint_closes(reason: PauseReason) -> None:
    scene = Gated()
    holding = Crowd(scene.limit)
    holder = asyncio.create_task(holding.member())
    await _rounds(ROUNDS)
    member = await scene.come()
    scene.gate.close(reason, "why")
    holding.leave.set()
    await holder

    with pytest.raises(GateClosed):
        await member
    await _all_places_are_free(scene.limit, 1)


async def test_a_drain_ends_the_wait_at_the_gate() -> None:
    scene = Gated()
    scene.gate.close(PauseReason.BROKER, "why")
    member = await scene.come()

    scene.drain.begin()

    with pytest.raises(Draining):
        await member


def test_a_gate_that_stays_closed_ends_the_wait() -> None:
    async def scenario() -> None:
        scene = Gated()
        scene.gate.close(PauseReason.BROKER, "why")
        with pytest.raises(HeldTooLong):
            await scene.crowd.member()

    in_virtual_time(scenario)


async def test_a_pause_between_attempts_is_that_of_the_gate() -> None:
    scene = Gated()
    pausing = asyncio.ensure_future(scene.admission.pause(3600.0))
    await _rounds(ROUNDS)

    scene.gate.close(PauseReason.BLOCKED, "why")

    with pytest.raises(GateClosed):
        await pausing


async def test_an_error_behind_the_gate_is_raised_and_gives_the_place_back() -> None:
    scene = Gated()

    with pytest.raises(ValueError, match="mine"):
        async with scene.admission.slot():
            raise ValueError("mine")

    await _all_places_are_free(scene.limit, 1)


@settings(max_examples=200, deadline=None)
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["close", "open", "come", "leave", "probe", "end"]),
            st.sampled_from(PauseReason),
            st.integers(0, 3),
        ),
        max_size=30,
    )
)
def test_a_closed_gate_admits_nobody_but_probes_and_loses_no_place(steps: list[tuple[str, PauseReason, int]]) -> None:
    async def scenario() -> None:
        scene = Gated(places=2)
        entered = probes = 0
        leave = asyncio.Event()
        members: list[asyncio.Task[None]] = []

        async def member() -> None:
            nonlocal entered, probes
            async with scene.admission.slot():
                if scene.gate.closed:
                    probes -= 1
                    assert probes >= 0
                entered += 1
                await leave.wait()

        for step, reason, rounds in steps:
            match step:
                case "close":
                    scene.gate.close(reason, "why")
                case "open":
                    scene.gate.open(reason)
                case "come":
                    members.append(asyncio.create_task(member()))
                case "leave":
                    leave.set()
                    leave = asyncio.Event()
                case "probe":
                    scene.gate.begin_probe()
                    probes += 1
                case _:
                    scene.gate.end_probe()
            await _rounds(rounds)
        for reason in PauseReason:
            scene.gate.open(reason)
        leave.set()
        leave = asyncio.Event()
        # Whoever comes in later finds this one.
        leave.set()
        outcomes = await asyncio.gather(*members, return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} <= {type(None), GateClosed}
        await _all_places_are_free(scene.limit, 2)

    in_virtual_time(scenario)
