import asyncio
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.core.admission import GatedAdmission
from service.core.call import Accepted, Answer, RefusedForNow
from service.core.drain import Drain, Draining
from service.core.facts import PauseReason
from service.core.gate import Gate, GateClosed, HeldTooLong
from service.core.ports import Admission
from service.core.turns import TurnMissed, Turns
from tests.support.fakes import RecordingObserver
from tests.support.virtual_time import in_virtual_time, loop_time

# More rounds of the loop than any hand-over of a place takes.
ROUNDS = 12


async def _rounds(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)  # one round of the event loop, no time


class Crowd:
    """Tasks that hold a turn until they are let go, and the most that ever held one at once."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self.inside = 0
        self.most = 0
        self.entered: list[int] = []
        self.leave = asyncio.Event()

    async def member(self, number: int = 0) -> None:
        async with self._admission.turn():
            self.inside += 1
            self.most = max(self.most, self.inside)
            self.entered.append(number)
            try:
                await self.leave.wait()
            finally:
                self.inside -= 1


class Gated:
    """Turns behind a gate, and a crowd before both."""

    def __init__(self, places: int = 1) -> None:
        self.drain = Drain()
        self.observer = RecordingObserver()
        self.gate = Gate(self.drain, self.observer, patience=20.0)
        self.turns = Turns(places, self.gate, self.drain, self.observer, longest_pause=60.0)
        self.admission = GatedAdmission(self.turns, self.gate)
        self.crowd = Crowd(self.admission)

    async def come(self, crowd: Crowd | None = None, number: int = 0) -> "asyncio.Task[None]":
        task = asyncio.create_task((crowd or self.crowd).member(number))
        await _rounds(ROUNDS)
        return task

    async def all_places_are_free(self, places: int) -> None:
        assert self.turns.in_flight == 0
        crowd = Crowd(self.admission)
        members = [await self.come(crowd) for _ in range(places)]
        assert crowd.inside == places
        crowd.leave.set()
        await asyncio.gather(*members)


async def test_never_more_than_the_limit_are_inside() -> None:
    scene = Gated(3)
    members = [await scene.come() for _ in range(10)]
    assert scene.crowd.inside == 3

    scene.crowd.leave.set()
    async with asyncio.timeout(5):
        await asyncio.gather(*members)

    assert scene.crowd.most == 3


async def test_waiters_are_admitted_in_the_order_of_their_arrival() -> None:
    scene = Gated()
    scene.crowd.leave.set()

    async with asyncio.timeout(5):
        await asyncio.gather(*(scene.crowd.member(number) for number in range(20)))

    assert scene.crowd.entered == list(range(20))


async def test_a_drain_frees_every_waiter_and_leaves_the_holders_alone() -> None:
    scene = Gated()
    holder, *waiters = [await scene.come() for _ in range(4)]

    scene.drain.begin()
    async with asyncio.timeout(1):
        outcomes = await asyncio.gather(*waiters, return_exceptions=True)

    assert [type(outcome) for outcome in outcomes] == [Draining] * 3
    assert not holder.done()
    scene.crowd.leave.set()
    await holder


async def test_nothing_is_admitted_after_the_drain_began_even_where_a_place_is_free() -> None:
    scene = Gated()
    scene.drain.begin()

    with pytest.raises(Draining):
        await scene.crowd.member()

    assert not scene.crowd.entered


@pytest.mark.parametrize(("free_after", "cancel_after"), list(product(range(ROUNDS), repeat=2)))
async def test_no_place_is_lost_when_a_waiter_is_cancelled_at_any_moment(free_after: int, cancel_after: int) -> None:
    scene = Gated()
    waiting = Crowd(scene.admission)
    holder = await scene.come()
    waiter = asyncio.create_task(waiting.member())

    for moment in range(2 * ROUNDS):
        if moment == free_after:
            scene.crowd.leave.set()
        if moment == cancel_after:
            waiter.cancel()
        await _rounds(1)

    await asyncio.gather(holder, waiter, return_exceptions=True)
    await scene.all_places_are_free(1)


@settings(max_examples=200, deadline=None)
@given(
    places=st.integers(1, 3),
    cancels=st.lists(st.tuples(st.integers(0, 7), st.integers(0, ROUNDS)), max_size=10),
    frees=st.lists(st.integers(0, ROUNDS), min_size=8, max_size=8),
    drains=st.none() | st.integers(0, ROUNDS),
)
def test_no_place_is_lost_in_a_crowd(
    places: int, cancels: list[tuple[int, int]], frees: list[int], drains: int | None
) -> None:
    async def scenario() -> None:
        scene = Gated(places)
        crowds = [Crowd(scene.admission) for _ in frees]
        members = [asyncio.create_task(crowd.member()) for crowd in crowds]

        for moment in range(ROUNDS + 1):
            for number, when in cancels:
                if when == moment:
                    members[number].cancel()
            for number, when in enumerate(frees):
                if when == moment:
                    crowds[number].leave.set()
            if drains == moment:
                scene.drain.begin()
            await _rounds(1)
            assert sum(crowd.inside for crowd in crowds) <= places

        await asyncio.gather(*members, return_exceptions=True)
        assert scene.turns.in_flight == 0
        if drains is None:
            await scene.all_places_are_free(places)

    in_virtual_time(scenario)


async def test_no_place_is_held_while_waiting_at_the_gate() -> None:
    scene = Gated()
    scene.gate.close(PauseReason.LEDGER, "why")
    member = await scene.come()

    assert scene.turns.in_flight == 0

    scene.gate.open(PauseReason.LEDGER)
    await _rounds(ROUNDS)
    assert scene.crowd.inside == 1
    scene.crowd.leave.set()
    await member


async def test_a_gate_that_closes_while_one_waits_for_a_place_is_heeded_and_frees_the_place() -> None:
    scene = Gated()
    holding = Crowd(scene.admission)
    holder = await scene.come(holding)
    member = await scene.come()
    scene.gate.close(PauseReason.LEDGER, "why")
    holding.leave.set()
    await holder
    await _rounds(ROUNDS)
    assert scene.crowd.inside == 0
    assert scene.turns.in_flight == 0

    scene.gate.open(PauseReason.LEDGER)
    scene.crowd.leave.set()
    async with asyncio.timeout(1):
        await member

    assert scene.crowd.most == 1


@pytest.mark.parametrize("reason", [PauseReason.BLOCKED, PauseReason.ENDPOINT_DOWN])
async def test_whoever_waits_for_a_place_goes_away_when_the_endpoint_closes_though_no_place_gets_free(
    reason: PauseReason,
) -> None:
    scene = Gated()
    holding = Crowd(scene.admission)
    holder = await scene.come(holding)
    members = [await scene.come() for _ in range(5)]

    scene.gate.close(reason, "why")

    async with asyncio.timeout(1):
        outcomes = await asyncio.gather(*members, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [GateClosed] * 5
    assert not holder.done()
    holding.leave.set()
    await holder
    scene.gate.open(reason)
    await scene.all_places_are_free(1)


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


def throttled(retry_after: float | None = None) -> RefusedForNow:
    return RefusedForNow(Answer(429), throttled=True, retry_after=retry_after)


async def refuse(scene: Gated, retry_after: float | None = None) -> None:
    async with scene.admission.turn() as turn:
        assert turn.may_start()
        turn.came_to(throttled(retry_after))


@pytest.mark.parametrize(("retry_after", "pause"), [(0.0, 0.0), (7.5, 7.5), (60.0, 60.0), (86400.0, 60.0)])
def test_one_refusal_pauses_all_for_as_long_as_the_server_asks_within_bounds(
    retry_after: float | None, pause: float
) -> None:
    async def scenario() -> None:
        scene = Gated(10)
        await refuse(scene, retry_after)
        scene.crowd.leave.set()
        members = [asyncio.create_task(scene.crowd.member(number)) for number in range(3)]
        await members[0]
        assert loop_time() == pytest.approx(pause, abs=0.01)
        await asyncio.gather(*members)

    in_virtual_time(scenario)


def test_nobody_holds_a_place_during_the_pause() -> None:
    async def scenario() -> None:
        scene = Gated(10)
        await refuse(scene, 30.0)
        members = [await scene.come() for _ in range(5)]
        await asyncio.sleep(29)
        assert scene.turns.in_flight == 0
        scene.crowd.leave.set()
        await asyncio.gather(*members)

    in_virtual_time(scenario)


def test_a_pause_that_begins_while_others_wait_for_their_turn_counts_for_them() -> None:
    async def scenario() -> None:
        scene = Gated(10)
        await refuse(scene, 1.0)
        async with scene.admission.turn() as late:
            assert late.may_start()
            waiting = await scene.come()
            late.came_to(throttled(20.0))
        scene.crowd.leave.set()
        await waiting
        assert loop_time() == pytest.approx(21.0, abs=0.01)

    in_virtual_time(scenario)


@pytest.mark.parametrize("ending", ["drain", "gate"])
def test_a_drain_and_a_closing_gate_end_the_wait_for_a_turn_at_once_for_all(ending: str) -> None:
    async def scenario() -> None:
        scene = Gated(10)
        await refuse(scene, 60.0)
        members = [await scene.come() for _ in range(300)]
        if ending == "drain":
            scene.drain.begin()
        else:
            scene.gate.close(PauseReason.BLOCKED, "why")
        outcomes = await asyncio.gather(*members, return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {Draining if ending == "drain" else GateClosed}
        assert loop_time() == 0.0

    in_virtual_time(scenario)


def test_who_has_waited_for_as_long_as_it_may_leaves_the_line_and_the_others_move_up() -> None:
    async def scenario() -> None:
        scene = Gated(10)
        await refuse(scene, 30.0)
        after = await scene.come()

        with pytest.raises(TurnMissed):
            async with scene.admission.turn(patience=10.0):
                pytest.fail("its turn came too early")
        assert loop_time() == pytest.approx(10.0)

        scene.crowd.leave.set()
        await after
        assert loop_time() == pytest.approx(30.0, abs=0.01)

    in_virtual_time(scenario)


async def test_who_may_not_wait_at_all_still_gets_a_turn_that_is_free() -> None:
    scene = Gated()
    async with scene.admission.turn(patience=-1.0):
        with pytest.raises(TurnMissed):
            async with scene.admission.turn(patience=-1.0):
                pytest.fail("there was one place")


def test_a_turn_without_a_call_costs_the_others_nothing() -> None:
    async def scenario() -> None:
        scene = Gated(10)
        await refuse(scene, 0.0)
        for _ in range(100):
            async with scene.admission.turn():
                pass  # the ledger knows this request: no call
        assert loop_time() == pytest.approx(0.0)
        for _ in range(5):
            async with scene.admission.turn() as turn:
                assert turn.may_start()
                turn.came_to(Accepted("t"))
        assert loop_time() > 1.0

    in_virtual_time(scenario)


async def test_an_error_behind_the_gate_is_raised_and_gives_the_place_back() -> None:
    scene = Gated()

    with pytest.raises(ValueError, match="mine"):
        async with scene.admission.turn():
            raise ValueError("mine")

    await scene.all_places_are_free(1)


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
            async with scene.admission.turn():
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
        await scene.all_places_are_free(2)

    in_virtual_time(scenario)


async def test_a_place_that_gets_free_as_the_drain_begins_is_given_to_nobody() -> None:
    scene = Gated()
    holder = await scene.come()
    waiting = Crowd(scene.admission)
    waiter = await scene.come(waiting)

    scene.crowd.leave.set()
    await holder
    scene.drain.begin()

    with pytest.raises(Draining):
        await waiter
    assert not waiting.entered


def test_who_comes_as_a_pause_ends_does_not_overtake_those_who_waited() -> None:
    async def scenario() -> None:
        scene = Gated(10)
        await refuse(scene, 1.0)
        scene.crowd.leave.set()
        waiting = [await scene.come(number=number) for number in range(3)]
        await asyncio.sleep(0.9995)
        await asyncio.gather(*waiting, await scene.come(number=3))
        assert scene.crowd.entered == [0, 1, 2, 3]

    in_virtual_time(scenario)


def test_of_two_that_wait_to_probe_one_goes_and_the_other_leaves_no_place_behind() -> None:
    async def scenario() -> None:
        scene = Gated(10)
        await refuse(scene, 5.0)
        scene.gate.close(PauseReason.BLOCKED, "why")
        scene.gate.begin_probe()
        probes = [await scene.come() for _ in range(2)]
        scene.crowd.leave.set()

        outcomes = await asyncio.gather(*probes, return_exceptions=True)

        assert [type(outcome) for outcome in outcomes] == [type(None), GateClosed]
        assert scene.turns.in_flight == 0

    in_virtual_time(scenario)


def test_the_time_at_the_gate_counts_as_time_in_the_line() -> None:
    async def scenario() -> None:
        scene = Gated(10)
        await refuse(scene, 60.0)
        scene.gate.close(PauseReason.LEDGER, "why")
        asyncio.get_running_loop().call_later(8.0, scene.gate.open, PauseReason.LEDGER)
        with pytest.raises(TurnMissed):
            async with scene.admission.turn(patience=10.0):
                pytest.fail("its turn came too early")
        assert loop_time() == pytest.approx(10.0)

    in_virtual_time(scenario)
