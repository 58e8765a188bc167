import asyncio
from collections.abc import Awaitable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.core.drain import Drain, Draining
from service.core.facts import ConsumptionPaused, PauseReason
from service.core.gate import PROBED, Gate, GateClosed, HeldTooLong, Passage
from tests.support.fakes import RecordingObserver
from tests.support.virtual_time import in_virtual_time, loop_time

PATIENCE = 20.0
WAITED_FOR = [reason for reason in PauseReason if reason not in PROBED]


class Scene:
    def __init__(self) -> None:
        self.drain = Drain()
        self.observer = RecordingObserver()
        self.gate = Gate(self.drain, self.observer, PATIENCE)

    def close(self, *reasons: PauseReason) -> "Scene":
        for reason in reasons:
            self.gate.close(reason, "why")
        return self


async def _rounds(count: int = 10) -> None:
    for _ in range(count):
        await asyncio.sleep(0)  # one round of the event loop, no time


async def _started(waiting: Awaitable[None]) -> "asyncio.Future[None]":
    task = asyncio.ensure_future(waiting)
    await _rounds()
    return task


def test_each_reason_closes_on_its_own_and_is_told_once() -> None:
    scene = Scene().close(PauseReason.LEDGER, PauseReason.BROKER, PauseReason.LEDGER)
    scene.gate.open(PauseReason.LEDGER)
    scene.gate.open(PauseReason.LEDGER)

    assert scene.gate.closed == {PauseReason.BROKER}
    assert scene.observer.facts == [
        ConsumptionPaused(PauseReason.LEDGER, paused=True, why="why"),
        ConsumptionPaused(PauseReason.BROKER, paused=True, why="why"),
        ConsumptionPaused(PauseReason.LEDGER, paused=False),
    ]


@pytest.mark.parametrize("reason", PauseReason)
def test_only_a_gate_closed_for_the_endpoint_alone_wants_a_probe(reason: PauseReason) -> None:
    assert not Scene().gate.wants_probe
    assert Scene().close(reason).gate.wants_probe is (reason in PROBED)
    assert not Scene().close(reason, PauseReason.LEDGER).gate.wants_probe


async def test_a_change_is_heard_from_the_moment_of_asking_on() -> None:
    scene = Scene()
    change = scene.gate.change()

    scene.close(PauseReason.LEDGER)

    async with asyncio.timeout(1):
        await change


async def test_what_changes_nothing_wakes_nobody() -> None:
    scene = Scene().close(PauseReason.LEDGER)
    change = asyncio.ensure_future(scene.gate.change())

    scene.close(PauseReason.LEDGER)
    scene.gate.open(PauseReason.BROKER)
    await _rounds()

    assert not change.done()
    change.cancel()


async def test_an_open_gate_is_passed_without_a_wait_and_admits() -> None:
    scene = Scene()
    passing = scene.gate.passable()

    with pytest.raises(StopIteration):
        passing.send(None)
    assert scene.gate.admit()


@pytest.mark.parametrize("reason", sorted(PROBED))
async def test_a_gate_that_may_be_closed_for_hours_is_not_waited_for(reason: PauseReason) -> None:
    scene = Scene().close(PauseReason.LEDGER, reason)

    with pytest.raises(GateClosed):
        await scene.gate.passable()


@pytest.mark.parametrize("reason", WAITED_FOR)
def test_broker_and_ledger_are_waited_for_as_long_as_patience_lasts(reason: PauseReason) -> None:
    async def scenario() -> float:
        with pytest.raises(HeldTooLong):
            await Scene().close(reason).gate.passable()
        return loop_time()

    assert in_virtual_time(scenario) == pytest.approx(PATIENCE)


async def test_a_gate_that_opens_in_time_is_passed() -> None:
    scene = Scene().close(PauseReason.LEDGER, PauseReason.BROKER)
    passing = await _started(scene.gate.passable())

    scene.gate.open(PauseReason.LEDGER)
    await _rounds()
    assert not passing.done()
    scene.gate.open(PauseReason.BROKER)

    async with asyncio.timeout(1):
        await passing


async def test_whoever_waits_for_the_ledger_gives_up_when_the_endpoint_closes_too() -> None:
    scene = Scene().close(PauseReason.LEDGER)
    passing = await _started(scene.gate.passable())

    scene.close(PauseReason.BLOCKED)

    with pytest.raises(GateClosed):
        await passing


async def test_a_drain_ends_the_wait_at_the_gate() -> None:
    scene = Scene().close(PauseReason.LEDGER)
    passing = await _started(scene.gate.passable())

    scene.drain.begin()

    with pytest.raises(Draining):
        await passing


@pytest.mark.parametrize("reason", PauseReason)
def test_a_closed_gate_admits_nobody(reason: PauseReason) -> None:
    assert not Scene().close(reason).gate.admit()


async def test_half_open_lets_exactly_one_call_through() -> None:
    scene = Scene().close(PauseReason.BLOCKED)
    scene.gate.begin_probe()
    # Both came to the gate before either was admitted.
    await scene.gate.passable()
    await scene.gate.passable()

    assert [scene.gate.admit(), scene.gate.admit()] == [Passage.PROBE, None]
    with pytest.raises(GateClosed):
        await scene.gate.passable()


def test_a_probe_that_was_not_used_is_taken_back() -> None:
    scene = Scene().close(PauseReason.BLOCKED)
    scene.gate.begin_probe()

    scene.gate.end_probe()

    assert not scene.gate.admit()


async def test_a_probe_waits_for_the_ledger_as_everybody_does() -> None:
    scene = Scene().close(PauseReason.BLOCKED, PauseReason.LEDGER)
    scene.gate.begin_probe()
    passing = await _started(scene.gate.passable())
    assert not passing.done()
    assert not scene.gate.admit()

    scene.gate.open(PauseReason.LEDGER)
    await passing

    assert scene.gate.admit()


@pytest.mark.parametrize("reason", [None, *WAITED_FOR])
def test_a_pause_between_attempts_lasts_as_long_as_it_was_asked_to(reason: PauseReason | None) -> None:
    async def scenario() -> float:
        scene = Scene()
        pausing = await _started(scene.gate.pause(7.0))
        if reason is not None:
            scene.close(reason)
        await pausing
        return loop_time()

    assert in_virtual_time(scenario) == pytest.approx(7.0)


@pytest.mark.parametrize("reason", sorted(PROBED))
async def test_a_pause_is_given_up_when_the_endpoint_closes(reason: PauseReason) -> None:
    scene = Scene()
    pausing = await _started(scene.gate.pause(3600.0))

    scene.close(reason)

    with pytest.raises(GateClosed):
        await pausing


async def test_no_pause_begins_while_the_endpoint_is_closed() -> None:
    with pytest.raises(GateClosed):
        await Scene().close(PauseReason.BLOCKED).gate.pause(3600.0)


async def test_a_drain_ends_a_pause() -> None:
    scene = Scene()
    pausing = await _started(scene.gate.pause(3600.0))

    scene.drain.begin()

    with pytest.raises(Draining):
        await pausing


STEPS = st.lists(st.tuples(st.booleans(), st.sampled_from(WAITED_FOR), st.integers(0, 3)), max_size=30)


@settings(max_examples=200, deadline=None)
@given(steps=STEPS, waiters=st.integers(1, 4))
def test_whoever_waits_gets_through_however_the_gate_opened_and_closed_before(
    steps: list[tuple[bool, PauseReason, int]], waiters: int
) -> None:
    async def scenario() -> None:
        scene = Scene()
        passing: list[asyncio.Future[None]] = []
        for closes, reason, rounds in steps:
            if closes:
                scene.close(reason)
            else:
                scene.gate.open(reason)
            if len(passing) < waiters:
                passing.append(asyncio.ensure_future(scene.gate.passable()))
            await _rounds(rounds)
        for reason in WAITED_FOR:
            scene.gate.open(reason)
        await asyncio.gather(*passing)
        # Nobody was saved by the end of patience.
        assert loop_time() == 0.0

    in_virtual_time(scenario)


@settings(max_examples=200, deadline=None)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["probe", "end", "ledger", "ledger over", "call"]), st.integers(0, 3)), max_size=40
    )
)
def test_every_probe_is_one_call_at_most_whatever_happens(steps: list[tuple[str, int]]) -> None:
    async def scenario() -> None:
        scene = Scene().close(PauseReason.BLOCKED)
        calls = probes = 0

        async def try_to_call() -> None:
            nonlocal calls
            try:
                await scene.gate.passable()
            except (GateClosed, HeldTooLong):
                return
            calls += scene.gate.admit() is not None

        tasks = []
        for step, rounds in steps:
            match step:
                case "probe":
                    scene.gate.begin_probe()
                    probes += 1
                case "end":
                    scene.gate.end_probe()
                case "ledger":
                    scene.close(PauseReason.LEDGER)
                case "ledger over":
                    scene.gate.open(PauseReason.LEDGER)
                case _:
                    tasks.append(asyncio.ensure_future(try_to_call()))
            await _rounds(rounds)
        await asyncio.gather(*tasks)
        assert calls <= probes

    in_virtual_time(scenario)
