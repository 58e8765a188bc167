import asyncio
from collections.abc import Awaitable, Callable
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.core.delivery import Delivery
from service.core.drain import Drain
from service.core.facts import PauseReason, Probing
from service.core.gate import PROBED, Gate, GateClosed
from service.core.pausing import Pausing, ProbePolicy
from service.core.ports import Incoming
from tests.support.consumption import FakeConsumption
from tests.support.fakes import FakeIncoming, RecordingObserver
from tests.support.virtual_time import in_virtual_time, loop_time

POLICY = ProbePolicy(first=5.0, cap=300.0)
# The bounds of rest between probes, until the cap is reached and stays.
RESTS = [5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 300.0, 300.0]
DUE = list(accumulate(RESTS))


class Scene:
    """Consumption that follows a gate, in virtual time. Every message tried makes one call, unless scripted."""

    def __init__(self, messages: int = 0, rounds: int = 0) -> None:
        self.observer = RecordingObserver()
        self.gate = Gate(Drain(), self.observer, patience=1000.0)
        self.consumption = FakeConsumption(rounds, resumed=self._resumed)
        self.consumption.queue.extend(FakeIncoming(Delivery(b"", message_id=f"r-{n}")) for n in range(messages))
        self.pausing = Pausing(self.gate, self.consumption, self._try_one, lambda: self.calls, POLICY, self.observer)
        self.calls = 0
        self.probed: list[float] = []
        self.taken_in: list[Incoming] = []
        self.result: Callable[[], None] = lambda: None

    def _resumed(self) -> None:
        assert not self.gate.closed

    def _try_one(self, incoming: Incoming) -> Awaitable[None]:
        self.taken_in.append(incoming)
        return self._call()

    async def _call(self) -> None:
        try:
            await self.gate.passable()
        except GateClosed:
            return
        if self.gate.admit():
            self.calls += 1
            self.probed.append(loop_time())
            self.result()

    def open_for_calls(self) -> None:
        for reason in PROBED:
            self.gate.open(reason)

    def flows(self) -> bool:
        return self.consumption.flowing

    def close(self, *reasons: PauseReason) -> None:
        for reason in reasons:
            self.gate.close(reason, "why")

    def run(self, scenario: Callable[["Scene"], Awaitable[None]]) -> None:
        async def running() -> None:
            pausing = asyncio.ensure_future(self.pausing.run())
            await scenario(self)
            assert not pausing.done()
            pausing.cancel()
            await asyncio.gather(pausing, return_exceptions=True)

        in_virtual_time(running)


async def _rounds(count: int = 20) -> None:
    for _ in range(count):
        await asyncio.sleep(0)  # one round of the event loop, no time


async def _until(moment: float) -> None:
    """Go on to a moment in virtual time, and let everything happen that is due then."""
    await asyncio.sleep(moment - loop_time())
    await _rounds()


@pytest.mark.parametrize("reason", PauseReason)
def test_consumption_stops_when_the_gate_closes_and_goes_on_when_it_opens(reason: PauseReason) -> None:
    async def scenario(scene: Scene) -> None:
        await _rounds()
        assert scene.flows()
        scene.close(reason)
        await _rounds()
        assert not scene.flows()
        scene.gate.open(reason)
        await _rounds()
        assert scene.flows()

    Scene().run(scenario)


def test_a_gate_that_is_closed_from_the_start_is_heeded() -> None:
    async def scenario(scene: Scene) -> None:
        await _rounds()
        assert not scene.flows()

    scene = Scene()
    scene.close(PauseReason.LEDGER)
    scene.run(scenario)


def test_a_gate_that_opens_while_consumption_is_being_stopped_is_not_missed() -> None:
    async def scenario(scene: Scene) -> None:
        await _rounds()
        scene.close(PauseReason.LEDGER)
        await _rounds(3)
        assert not scene.flows()
        scene.gate.open(PauseReason.LEDGER)
        await _rounds()
        assert scene.flows()

    Scene(rounds=8).run(scenario)


def test_a_gate_that_closes_while_consumption_is_being_resumed_is_not_missed() -> None:
    async def scenario(scene: Scene) -> None:
        await _rounds()
        scene.close(PauseReason.LEDGER)
        await _rounds()
        scene.gate.open(PauseReason.LEDGER)
        await _rounds(3)
        scene.close(PauseReason.LEDGER)
        await _rounds(30)
        assert not scene.flows()

    Scene(rounds=8).run(scenario)


def test_probes_come_after_5_seconds_and_then_each_after_twice_the_wait_up_to_the_cap() -> None:
    async def scenario(scene: Scene) -> None:
        scene.close(PauseReason.BLOCKED)
        await _until(DUE[-1])
        assert scene.probed == pytest.approx(DUE)
        assert [fact.next_in for fact in scene.observer.of(Probing)] == [*RESTS[1:], 300.0]
        assert [fact.request_id for fact in scene.observer.of(Probing)] == [f"r-{n}" for n in range(len(DUE))]

    Scene(messages=20).run(scenario)


def test_an_empty_queue_does_not_lengthen_the_wait() -> None:
    async def scenario(scene: Scene) -> None:
        scene.close(PauseReason.BLOCKED)
        await _until(100)
        assert scene.consumption.fetches == 20
        scene.consumption.queue.append(FakeIncoming(Delivery(b"")))
        await _until(105)
        assert scene.probed == [105.0]

    Scene().run(scenario)


def test_a_message_that_led_to_no_call_does_not_lengthen_the_wait() -> None:
    async def scenario(scene: Scene) -> None:
        async def answered_without_a_call(_: Incoming) -> None:
            return

        scene.pausing._try_one = answered_without_a_call
        scene.close(PauseReason.BLOCKED)
        await _until(20)
        assert scene.consumption.fetches == 4

    Scene(messages=20).run(scenario)


def test_a_message_that_took_the_place_of_the_probe_without_a_call_does_not_lengthen_the_wait() -> None:
    async def scenario(scene: Scene) -> None:
        async def known_to_the_ledger(_: Incoming) -> None:
            assert scene.gate.admit()

        scene.pausing._try_one = known_to_the_ledger
        scene.close(PauseReason.BLOCKED)
        await _until(20)
        assert scene.consumption.fetches == 4

    Scene(messages=20).run(scenario)


def test_a_call_that_left_lengthens_the_wait_although_its_place_was_given_back() -> None:
    async def scenario(scene: Scene) -> None:
        async def called_in_vain(_: Incoming) -> None:
            scene.calls += 1

        scene.pausing._try_one = called_in_vain
        scene.close(PauseReason.BLOCKED)
        await _until(35)
        assert scene.consumption.fetches == 3

    Scene(messages=20).run(scenario)


def test_the_next_wait_begins_only_when_the_outcome_of_a_probe_is_known() -> None:
    async def scenario(scene: Scene) -> None:
        async def slow(_: Incoming) -> None:
            await asyncio.sleep(30)

        scene.pausing._try_one = slow
        scene.close(PauseReason.BLOCKED)
        await _until(39)
        assert scene.consumption.fetches == 1
        await _until(40)
        assert scene.consumption.fetches == 2

    Scene(messages=20).run(scenario)


def test_a_hurry_probes_at_once_and_begins_with_short_waits_again() -> None:
    async def scenario(scene: Scene) -> None:
        scene.close(PauseReason.BLOCKED)
        await _until(100)
        scene.pausing.hurry()
        await _until(150)
        assert scene.probed == pytest.approx([5, 15, 35, 75, 100, 110, 130])

    Scene(messages=20).run(scenario)


def test_a_hurry_while_the_gate_was_open_is_over_when_it_closes() -> None:
    async def scenario(scene: Scene) -> None:
        scene.pausing.hurry()
        await _rounds()
        scene.close(PauseReason.BLOCKED)
        await _until(6)
        assert scene.probed == [5.0]

    Scene(messages=20).run(scenario)


def test_a_probe_that_opens_the_gate_ends_the_pause_and_the_next_one_begins_with_short_waits() -> None:
    async def scenario(scene: Scene) -> None:
        scene.close(PauseReason.BLOCKED)
        await _until(20)
        scene.result = lambda: scene.gate.open(PauseReason.BLOCKED)
        await _until(40)
        assert scene.flows()
        scene.result = lambda: None
        scene.close(PauseReason.BLOCKED)
        await _until(60)
        assert scene.probed == pytest.approx([5, 15, 35, 45, 55])

    Scene(messages=20).run(scenario)


def test_no_message_is_tried_while_the_ledger_is_away_too() -> None:
    async def scenario(scene: Scene) -> None:
        scene.close(PauseReason.BLOCKED, PauseReason.LEDGER)
        await _until(500)
        assert scene.consumption.fetches == 0
        scene.gate.open(PauseReason.LEDGER)
        await _until(505)
        assert scene.probed == [505.0]

    Scene(messages=20).run(scenario)


def test_a_pause_for_broker_or_ledger_alone_is_never_probed() -> None:
    async def scenario(scene: Scene) -> None:
        scene.close(PauseReason.LEDGER, PauseReason.BROKER)
        await _until(5000)
        assert scene.consumption.fetches == 0

    Scene(messages=20).run(scenario)


def test_a_probe_that_nobody_used_is_taken_back() -> None:
    async def scenario(scene: Scene) -> None:
        async def answered_without_a_call(_: Incoming) -> None:
            return

        scene.pausing._try_one = answered_without_a_call
        scene.close(PauseReason.BLOCKED)
        await _until(5)
        assert scene.consumption.fetches == 1
        assert not scene.gate.admit()

    Scene(messages=1).run(scenario)


def test_a_reply_that_is_never_confirmed_does_not_hold_up_consumption_once_its_call_opened_the_gate() -> None:
    async def scenario(scene: Scene) -> None:
        async def accepted_and_never_replied(incoming: Incoming) -> None:
            await Scene._try_one(scene, incoming)
            await asyncio.Event().wait()

        scene.pausing._try_one = accepted_and_never_replied
        scene.result = lambda: scene.gate.open(PauseReason.BLOCKED)
        scene.close(PauseReason.BLOCKED)
        await _until(5)
        assert scene.flows()

    Scene(messages=1).run(scenario)


def test_a_second_reason_that_comes_during_the_rest_neither_hastens_nor_delays_the_probe() -> None:
    async def scenario(scene: Scene) -> None:
        scene.close(PauseReason.BLOCKED)
        await _until(3)
        scene.close(PauseReason.ENDPOINT_DOWN)
        await _until(4.9)
        assert scene.probed == []
        await _until(5)
        assert scene.probed == [5.0]

    Scene(messages=1).run(scenario)


def test_a_hurry_while_consumption_is_being_stopped_is_not_lost() -> None:
    async def scenario(scene: Scene) -> None:
        await _rounds()
        scene.close(PauseReason.BLOCKED)
        await _rounds(3)
        assert not scene.flows()
        scene.pausing.hurry()
        await _until(1)
        assert scene.probed == [0.0]

    Scene(messages=1, rounds=8).run(scenario)


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["close", "open", "hurry", "message"]),
        st.sampled_from(PauseReason),
        st.one_of(st.integers(0, 6), st.sampled_from([5.0, 12.0, 40.0])),
    ),
    max_size=25,
)


@settings(max_examples=300, deadline=None)
@given(events=EVENTS, rounds=st.integers(0, 5), probes_help=st.booleans())
def test_consumption_flows_exactly_when_the_gate_is_open_whatever_happened_before(
    events: list[tuple[str, PauseReason, int | float]], rounds: int, *, probes_help: bool
) -> None:
    async def scenario(scene: Scene) -> None:
        for event, reason, wait in events:
            match event:
                case "close":
                    scene.close(reason)
                case "open":
                    scene.gate.open(reason)
                case "hurry":
                    scene.pausing.hurry()
                case _:
                    scene.consumption.queue.append(FakeIncoming(Delivery(b"")))
            await (_rounds(wait) if isinstance(wait, int) else asyncio.sleep(wait))
        # Long enough for every step under way, too short for a timer to come to the rescue.
        before = loop_time()
        await _rounds(100)
        assert loop_time() == before
        assert scene.flows() is not bool(scene.gate.closed)

    scene = Scene(rounds=rounds)
    if probes_help:
        scene.result = scene.open_for_calls
    scene.run(scenario)


@settings(max_examples=100, deadline=None)
@given(closings=st.lists(st.sampled_from(sorted(PROBED)), min_size=1, max_size=3), rounds=st.integers(0, 5))
def test_a_pause_that_a_call_can_end_is_ended_by_one(closings: list[PauseReason], rounds: int) -> None:
    async def scenario(scene: Scene) -> None:
        scene.close(*closings)
        await _until(10)
        assert scene.flows()
        assert len(scene.probed) == 1

    scene = Scene(messages=3, rounds=rounds)
    scene.result = scene.open_for_calls
    scene.run(scenario)


def test_a_message_that_was_fetched_as_the_gate_opened_is_taken_in_all_the_same() -> None:
    async def scenario(scene: Scene) -> None:
        scene.close(PauseReason.BLOCKED)
        await _until(POLICY.first)
        assert (scene.taken_in, scene.consumption.fetches) == ([], 1)
        scene.open_for_calls()
        await _rounds(60)
        assert len(scene.taken_in) == 1

    Scene(messages=1, rounds=40).run(scenario)
