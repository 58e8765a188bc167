import asyncio
import math
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from typing_extensions import override

from service.core.admission import GatedAdmission
from service.core.bookkeeping import Bookkeeping
from service.core.call import (
    Accepted,
    Answer,
    Blocked,
    Call,
    CallResult,
    NotSent,
    NotSentReason,
    RefusedForGood,
    RefusedForNow,
    Uncertain,
    UncertainReason,
)
from service.core.contract import VideoRequest
from service.core.drain import Drain, Draining
from service.core.endpoint_health import EndpointHealth
from service.core.facts import CallEnded, CallPrevented, ConsumptionPaused, PauseReason, RecordMissing
from service.core.gate import Gate, GateClosed, HeldTooLong
from service.core.ledger import Claim, DoubtRecord, EntryDamaged, Found, Permit, Running, SubmittedRecord
from service.core.paid_call import Ended, Made, PaidCall, TooLate
from service.core.pending_task import PendingTask
from service.core.placement import Obtained
from service.core.turns import TurnMissed, Turns
from tests.support.fakes import NEW_YEAR, FakeClock, RecordingObserver, ScriptedEndpoint
from tests.support.flaky_ledger import FlakyLedger, LedgerFault
from tests.support.virtual_time import in_virtual_time, loop_time

CALL = Call("r", VideoRequest(prompt="a cat", model="wan"), {})
ANSWER = Answer(504)
ACCEPTED = Accepted("t-1")
UNCERTAIN = Uncertain(UncertainReason.GATEWAY, ANSWER)
BLOCKED = Blocked(Answer(401))
SUBMITTED = SubmittedRecord("t-0", "wan", 2, NEW_YEAR)
DOUBT = DoubtRecord(ANSWER, 1)
PATIENCE = 20.0
DAMAGE = "the entry of r is damaged: look at it"


class DamagedLedger(FlakyLedger):
    """Cannot read the entries of `damaged` requests."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.damaged: set[str] = set()

    @override
    async def claim(self, request_id: str, attempt: int, permit: Permit) -> Claim:
        self._read(request_id)
        return await super().claim(request_id, attempt, permit)

    @override
    async def find(self, request_id: str) -> Found:
        self._read(request_id)
        return await super().find(request_id)

    def _read(self, request_id: str) -> None:
        if request_id in self.damaged:
            raise EntryDamaged(DAMAGE)


class Scene:
    def __init__(
        self, *results: CallResult | Exception, limit: int = 1, resend: bool = False, follow: float | None = None
    ) -> None:
        self.endpoint = ScriptedEndpoint(*results)
        self.clock = FakeClock()
        self.observer = RecordingObserver()
        self.drain = Drain()
        self.gate = Gate(self.drain, self.observer, PATIENCE)
        self.ledger = DamagedLedger(self.clock)
        self.turns = Turns(limit, self.gate, self.drain, self.observer, longest_pause=60.0)
        self.paid_call = PaidCall(
            endpoint=self.endpoint,
            books=Bookkeeping(self.ledger, self.gate, self.observer, PATIENCE),
            admission=GatedAdmission(self.turns, self.gate),
            health=EndpointHealth(self.gate, down_after=5, doubt_after=100),
            clock=self.clock,
            observer=self.observer,
            resend=resend,
            patience=PATIENCE,
            follow_after=follow,
        )

    async def make(self, call: Call = CALL, *, attempt: int = 1, seconds_left: float | None = None) -> Made:
        deadline = None if seconds_left is None else NEW_YEAR + timedelta(seconds=seconds_left)
        return await self.paid_call.make(call, attempt, deadline)


def made(result: CallResult, *, doubt: bool = False, attempt: int = 1, after: float = 0.0) -> Made:
    if isinstance(result, Accepted):
        at = NEW_YEAR + timedelta(seconds=after)
        return Obtained(SubmittedRecord(result.task_id, CALL.request.model, attempt, at))
    return Ended(result, doubt)


async def _rounds(count: int = 20) -> None:
    for _ in range(count):
        await asyncio.sleep(0)  # one round of the event loop, no time


async def test_the_claim_is_on_record_before_the_call_leaves() -> None:
    scene = Scene(ACCEPTED)
    scene.ledger.suffer(LedgerFault.HANGS, "claim")
    making = asyncio.ensure_future(scene.make())
    await scene.ledger.until(lambda: scene.ledger.begun == ["claim r"])
    await _rounds()
    assert not scene.endpoint.calls

    scene.endpoint.hold()
    scene.ledger.mend()
    await scene.endpoint.wait_for_calls()
    assert scene.ledger.done == ["claim r"]
    scene.endpoint.release()

    assert await making == made(ACCEPTED)


async def test_a_task_that_is_to_be_followed_is_on_record_with_the_address_of_its_request() -> None:
    scene = Scene(ACCEPTED, follow=5.0)
    trace = {"traceparent": "t"}

    await scene.make(replace(CALL, trace=trace, reply_to="replies", correlation_id="c"), attempt=3)

    assert await scene.ledger.kept.tasks.take() is None
    scene.clock.advance(5.0)
    assert await scene.ledger.kept.tasks.take() == PendingTask("t-1", "r", "wan", NEW_YEAR, "c", "replies", trace)


@pytest.mark.parametrize("result", [UNCERTAIN, BLOCKED, RefusedForGood(ANSWER), RefusedForNow(ANSWER, throttled=True)])
async def test_without_a_task_there_is_nothing_to_follow(result: CallResult) -> None:
    scene = Scene(result, follow=5.0)

    await scene.make()

    assert await scene.ledger.kept.tasks.count() == 0


async def test_nobody_follows_a_task_unless_it_is_wanted() -> None:
    scene = Scene(ACCEPTED)

    await scene.make()

    assert await scene.ledger.kept.tasks.count() == 0


@pytest.mark.parametrize(
    ("result", "operation", "found"),
    [
        (ACCEPTED, "record", SubmittedRecord("t-1", "wan", 7, NEW_YEAR)),
        (UNCERTAIN, "record", DoubtRecord(ANSWER, 7)),
        (NotSent(NotSentReason.DNS, ANSWER), "release", None),
        (RefusedForNow(ANSWER, throttled=True), "release", None),
        (RefusedForGood(ANSWER), "release", None),
        (BLOCKED, "release", None),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_what_a_call_came_to_is_on_record_before_anybody_hears_of_it(
    result: CallResult, operation: str, found: Found
) -> None:
    scene = Scene(result)
    scene.ledger.suffer(LedgerFault.HANGS, operation)
    making = asyncio.ensure_future(scene.make(attempt=7))
    await scene.ledger.until(lambda: f"{operation} r" in scene.ledger.begun)
    await _rounds()
    assert not making.done()
    assert scene.turns.in_flight == 0

    scene.ledger.mend()

    assert await making == made(result, attempt=7)
    assert await scene.ledger.find("r") == found


async def test_a_place_is_held_during_claim_and_call() -> None:
    scene = Scene(ACCEPTED)
    scene.ledger.suffer(LedgerFault.HANGS, "claim")
    scene.endpoint.hold()
    making = asyncio.ensure_future(scene.make())
    await scene.ledger.until(lambda: scene.ledger.begun == ["claim r"])
    assert scene.turns.in_flight == 1
    scene.ledger.mend()
    await scene.endpoint.wait_for_calls()
    assert scene.turns.in_flight == 1
    scene.endpoint.release()
    await making
    assert scene.turns.in_flight == 0


@pytest.mark.parametrize("fault", [LedgerFault.REFUSED, LedgerFault.ANSWER_LOST])
async def test_a_claim_without_an_answer_leads_to_no_call_and_is_released_before_the_next(fault: LedgerFault) -> None:
    scene = Scene(ACCEPTED)
    scene.ledger.suffer(fault, "claim")
    making = asyncio.ensure_future(scene.make())
    await scene.observer.wait_for(ConsumptionPaused)
    await _rounds()
    assert not scene.endpoint.calls
    assert scene.turns.in_flight == 0

    scene.ledger.mend()
    scene.gate.open(PauseReason.LEDGER)

    assert await making == made(ACCEPTED)
    assert scene.ledger.done == ["release r", "claim r", "record r"]
    assert len(scene.endpoint.calls) == 1


def test_a_ledger_that_stays_away_is_waited_for_as_long_as_patience_lasts() -> None:
    async def scenario() -> None:
        scene = Scene(ACCEPTED)
        scene.ledger.suffer(LedgerFault.ANSWER_LOST, "claim")
        with pytest.raises(HeldTooLong):
            await scene.make()
        assert loop_time() == pytest.approx(PATIENCE)
        assert not scene.endpoint.calls

    in_virtual_time(scenario)


async def test_a_ledger_that_comes_back_only_to_fail_again_does_not_hold_a_request_for_ever() -> None:
    scene = Scene(ACCEPTED)
    scene.ledger.suffer(LedgerFault.REFUSED, "claim")
    making = asyncio.ensure_future(scene.make())
    await scene.observer.wait_for(ConsumptionPaused)

    scene.gate.open(PauseReason.LEDGER)

    with pytest.raises(HeldTooLong):
        await making
    assert not scene.endpoint.calls


def test_a_paid_result_is_handed_on_when_patience_ends_and_its_record_is_owed() -> None:
    async def scenario() -> None:
        scene = Scene(ACCEPTED)
        scene.ledger.suffer(LedgerFault.REFUSED, "record")
        assert await scene.make() == made(ACCEPTED)
        assert loop_time() == pytest.approx(PATIENCE)
        assert scene.observer.of(RecordMissing) == [RecordMissing("r", "t-1")]

    in_virtual_time(scenario)


async def test_a_drain_ends_the_wait_for_the_ledger() -> None:
    scene = Scene(ACCEPTED)
    scene.ledger.suffer(LedgerFault.REFUSED, "claim")
    making = asyncio.ensure_future(scene.make())
    await scene.observer.wait_for(ConsumptionPaused)

    scene.drain.begin()

    with pytest.raises(Draining):
        await making
    assert not scene.endpoint.calls


async def test_no_call_is_made_while_the_endpoint_is_closed() -> None:
    scene = Scene(ACCEPTED)
    scene.gate.close(PauseReason.BLOCKED, "why")

    with pytest.raises(GateClosed):
        await scene.make()

    assert not scene.ledger.begun


async def test_a_half_open_gate_lets_exactly_one_call_through_however_many_want_to() -> None:
    scene = Scene(BLOCKED, limit=10)
    scene.gate.close(PauseReason.BLOCKED, "why")
    scene.gate.begin_probe()

    results = await asyncio.gather(
        *(scene.make(replace(CALL, request_id=f"r-{number}")) for number in range(10)), return_exceptions=True
    )

    assert len(scene.endpoint.calls) == 1
    assert results.count(made(BLOCKED)) == 1
    assert sum(isinstance(each, GateClosed) for each in results) == 9


async def test_a_probe_whose_claim_fails_does_not_open_the_way_for_others() -> None:
    scene = Scene(ACCEPTED)
    scene.gate.close(PauseReason.BLOCKED, "why")
    scene.gate.begin_probe()
    scene.ledger.suffer(LedgerFault.REFUSED, "claim")

    with pytest.raises(GateClosed):
        await scene.make()

    scene.ledger.mend()
    with pytest.raises(GateClosed):
        await scene.make()
    assert not scene.endpoint.calls


async def test_a_blocked_call_closes_the_gate_for_those_who_waited_for_its_place() -> None:
    scene = Scene(BLOCKED)
    scene.endpoint.hold()
    first = asyncio.ensure_future(scene.make())
    await scene.endpoint.wait_for_calls()
    second = asyncio.ensure_future(scene.make(replace(CALL, request_id="r-2")))
    await _rounds()

    scene.endpoint.release()

    assert await first == made(BLOCKED)
    with pytest.raises(GateClosed):
        await second
    assert len(scene.endpoint.calls) == 1


async def test_a_call_that_was_under_way_when_the_gate_closed_does_not_open_it() -> None:
    scene = Scene(ACCEPTED)
    scene.endpoint.hold()
    making = asyncio.ensure_future(scene.make())
    await scene.endpoint.wait_for_calls()
    scene.paid_call.health.judge(BLOCKED, scene.paid_call.health.begin())

    scene.endpoint.release()

    assert await making == made(ACCEPTED)
    assert scene.gate.closed == {PauseReason.BLOCKED}


async def test_the_fifth_403_in_a_row_is_blocked_and_closes_the_gate() -> None:
    scene = Scene(RefusedForGood(Answer(403), forbidden=True))

    results = [await scene.make(replace(CALL, request_id=f"r-{number}")) for number in range(5)]

    assert results == [made(RefusedForGood(Answer(403), forbidden=True))] * 4 + [made(Blocked(Answer(403)))]
    assert scene.gate.closed == {PauseReason.BLOCKED}


@pytest.mark.parametrize("known", [SUBMITTED, DOUBT])
@pytest.mark.parametrize("seconds_left", [None, 5.0, 0.0, -5.0])
async def test_what_is_on_record_prevents_the_call_also_after_the_deadline(
    known: SubmittedRecord | DoubtRecord, seconds_left: float | None
) -> None:
    scene = Scene(ACCEPTED)
    await scene.ledger.record("r", known)

    assert await scene.make(seconds_left=seconds_left) == known

    assert not scene.endpoint.calls
    assert scene.observer.facts == [CallPrevented("r", in_doubt=known is DOUBT)]


@pytest.mark.parametrize("seconds_left", [None, -5.0])
async def test_a_call_that_runs_elsewhere_prevents_the_call(seconds_left: float | None) -> None:
    scene = Scene(ACCEPTED)
    await scene.ledger.claim("r", 1, Permit())

    assert await scene.make(seconds_left=seconds_left) == Running(60.0, here=True)

    assert not scene.endpoint.calls


@pytest.mark.parametrize("seconds_left", [0.0, -5.0])
async def test_after_the_deadline_nothing_is_claimed_and_nothing_called(seconds_left: float) -> None:
    scene = Scene(ACCEPTED)

    assert await scene.make(seconds_left=seconds_left) == TooLate()

    assert scene.ledger.begun == ["find r"]
    assert not scene.endpoint.calls


@pytest.mark.parametrize("fault", [LedgerFault.REFUSED, LedgerFault.ANSWER_LOST])
async def test_a_search_without_an_answer_is_made_again(fault: LedgerFault) -> None:
    scene = Scene(ACCEPTED)
    await scene.ledger.record("r", SUBMITTED)
    scene.ledger.suffer(fault, "find")
    making = asyncio.ensure_future(scene.make(seconds_left=-5))
    await scene.observer.wait_for(ConsumptionPaused)
    scene.ledger.mend()
    scene.gate.open(PauseReason.LEDGER)

    assert await making == SUBMITTED


@pytest.mark.parametrize("result", [ACCEPTED, UNCERTAIN, BLOCKED], ids=lambda result: type(result).__name__)
async def test_a_request_in_doubt_is_called_again_only_where_the_operator_resends_and_the_doubt_is_told(
    result: CallResult,
) -> None:
    scene = Scene(result, resend=True)
    await scene.ledger.record("r", DOUBT)

    assert await scene.make() == made(result, doubt=True)


async def test_a_forced_replay_allows_one_call_and_its_copies_none() -> None:
    scene = Scene(UNCERTAIN)
    await scene.ledger.record("r", DOUBT)
    replay = replace(CALL, replay="copy-1")

    assert await scene.make(replay, attempt=2) == made(UNCERTAIN, doubt=True)
    assert await scene.make(replay, attempt=3) == DoubtRecord(ANSWER, 2)

    assert len(scene.endpoint.calls) == 1


async def test_a_call_is_told_with_its_number_and_its_length() -> None:
    scene = Scene(ACCEPTED)
    scene.endpoint.hold()
    making = asyncio.ensure_future(scene.make(attempt=3))
    await scene.endpoint.wait_for_calls()
    scene.clock.advance(2.5)
    scene.endpoint.release()
    await making

    assert scene.observer.facts == [CallEnded("r", ACCEPTED, 2.5, 3)]


async def test_a_defect_in_a_call_leaves_its_claim_because_nobody_knows_what_was_sent() -> None:
    scene = Scene(RuntimeError("a defect"))

    with pytest.raises(RuntimeError, match="a defect"):
        await scene.make()

    assert isinstance(await scene.ledger.find("r"), Running)
    assert scene.turns.in_flight == 0


async def test_a_call_that_is_cut_leaves_its_claim() -> None:
    scene = Scene(ACCEPTED)
    scene.endpoint.hold()
    making = asyncio.ensure_future(scene.make())
    await scene.endpoint.wait_for_calls()

    making.cancel()
    await asyncio.gather(making, return_exceptions=True)

    assert scene.ledger.done == ["claim r"]
    assert scene.turns.in_flight == 0


@pytest.mark.parametrize(
    "result",
    [NotSent(NotSentReason.DNS, ANSWER), RefusedForGood(ANSWER), BLOCKED],
    ids=lambda result: type(result).__name__,
)
async def test_a_replay_that_bought_nothing_leaves_the_doubt_on_record_and_may_be_used_again(
    result: CallResult,
) -> None:
    scene = Scene(result, ACCEPTED)
    await scene.ledger.record("r", DOUBT)
    replay = replace(CALL, replay="copy-1")

    assert await scene.make(replay) == made(result, doubt=True)
    assert await scene.ledger.find("r") == DOUBT
    scene.gate.open(PauseReason.BLOCKED)
    assert await scene.make(replay) == made(ACCEPTED)


async def slow_claim(
    scene: Scene,
    call: Call = CALL,
    *,
    seconds: float = 0.0,
    seconds_left: float | None = None,
    meanwhile: Callable[[], None] = lambda: None,
) -> Made:
    """Make a call whose claim takes that long."""
    scene.ledger.suffer(LedgerFault.HANGS, "claim")
    making = asyncio.ensure_future(scene.make(call, seconds_left=seconds_left))
    await scene.ledger.until(lambda: scene.ledger.begun == ["claim r"])
    scene.clock.advance(seconds)
    meanwhile()
    scene.ledger.mend()
    return await making


@pytest.mark.parametrize(
    ("seconds", "seconds_left", "answer"),
    [
        (PATIENCE + 0.1, None, Running(0.0, here=True)),
        (PATIENCE + 0.1, 1000.0, Running(0.0, here=True)),
        (PATIENCE + 0.1, 5.0, TooLate()),
        (5.0, 5.0, TooLate()),
    ],
)
async def test_a_claim_that_took_too_long_is_given_up_without_a_call(
    seconds: float, seconds_left: float | None, answer: Made
) -> None:
    scene = Scene(ACCEPTED)

    assert await slow_claim(scene, seconds=seconds, seconds_left=seconds_left) == answer

    assert not scene.endpoint.calls
    assert scene.ledger.done == ["claim r", "release r"]
    assert await scene.ledger.find("r") is None
    assert scene.turns.in_flight == 0


@pytest.mark.parametrize("seconds_left", [None, PATIENCE + 0.1])
async def test_a_claim_that_came_just_in_time_is_followed_by_its_call(seconds_left: float | None) -> None:
    scene = Scene(ACCEPTED)

    assert await slow_claim(scene, seconds=PATIENCE, seconds_left=seconds_left) == made(ACCEPTED, after=PATIENCE)


async def test_a_doubt_outlives_a_claim_that_was_given_up() -> None:
    scene = Scene(ACCEPTED, resend=True)
    await scene.ledger.record("r", DOUBT)
    scene.ledger.begun.clear()

    assert await slow_claim(scene, seconds=PATIENCE + 0.1) == Running(0.0, here=True)

    assert await scene.ledger.find("r") == DOUBT


async def test_what_was_recorded_while_a_claim_was_slow_is_told_also_after_the_deadline() -> None:
    scene = Scene(ACCEPTED)
    await scene.ledger.record("r", SUBMITTED)
    scene.ledger.begun.clear()

    assert await slow_claim(scene, seconds=100.0, seconds_left=5.0) == SUBMITTED

    assert not scene.endpoint.calls


@pytest.mark.parametrize("seconds_left", [None, -5.0], ids=["claimed", "looked up"])
async def test_a_damaged_entry_is_a_doubt_of_that_request_alone(seconds_left: float | None) -> None:
    scene = Scene(ACCEPTED)
    scene.ledger.damaged.add("r")

    found = await scene.make(attempt=3, seconds_left=seconds_left)

    assert found == DoubtRecord(Answer(message=DAMAGE), attempts=2)
    assert not scene.endpoint.calls
    assert scene.observer.facts == [CallPrevented("r", in_doubt=True)]
    assert not scene.gate.closed
    assert await scene.make(replace(CALL, request_id="r-2")) == made(ACCEPTED)


async def test_nothing_is_owed_to_a_ledger_for_an_entry_that_it_could_not_read() -> None:
    scene = Scene(ACCEPTED)
    scene.ledger.damaged.add("r")
    await scene.make()

    await scene.paid_call.books.settle_debts()

    assert not scene.ledger.begun


@pytest.mark.parametrize("known", [SUBMITTED, DOUBT])
async def test_a_request_is_looked_up_without_a_claim(known: SubmittedRecord | DoubtRecord) -> None:
    scene = Scene()
    assert await scene.paid_call.look_up("r") is None
    await scene.ledger.record("r", known)

    assert await scene.paid_call.look_up("r") == known

    assert "claim r" not in scene.ledger.begun


async def test_a_request_that_is_being_called_is_found_so() -> None:
    scene = Scene()
    await scene.ledger.claim("r", 1, Permit())

    assert await scene.paid_call.look_up("r") == Running(60.0, here=True)


async def test_a_damaged_entry_that_is_looked_up_is_a_doubt() -> None:
    scene = Scene()
    scene.ledger.damaged.add("r")

    assert await scene.paid_call.look_up("r") == DoubtRecord(Answer(message=DAMAGE), attempts=0)

    assert not scene.gate.closed


@pytest.mark.parametrize("fault", [LedgerFault.REFUSED, LedgerFault.ANSWER_LOST])
async def test_a_look_at_a_ledger_that_is_away_is_not_waited_for(fault: LedgerFault) -> None:
    scene = Scene()
    scene.ledger.suffer(fault, "find")

    with pytest.raises(HeldTooLong):
        await scene.paid_call.look_up("r")

    assert scene.gate.closed == {PauseReason.LEDGER}


async def test_only_a_call_that_left_is_counted() -> None:
    scene = Scene(ACCEPTED)
    await scene.ledger.record("known", SUBMITTED)

    await scene.make(replace(CALL, request_id="known"))
    assert scene.paid_call.health.calls == 0
    await scene.make()
    assert scene.paid_call.health.calls == 1


@pytest.mark.parametrize("resend", [True, False], ids=["resend", "a forced replay"])
async def test_a_claim_over_a_doubt_that_was_given_up_for_the_deadline_ends_as_the_doubt_and_not_as_too_late(
    *, resend: bool
) -> None:
    scene = Scene(ACCEPTED, resend=resend)
    await scene.ledger.record("r", DOUBT)
    scene.ledger.begun.clear()
    call = CALL if resend else replace(CALL, replay="copy-1")

    assert await slow_claim(scene, call, seconds=5.0, seconds_left=5.0) == DOUBT

    assert not scene.endpoint.calls


async def test_no_call_starts_when_the_gate_closed_while_its_claim_was_written() -> None:
    scene = Scene(ACCEPTED)

    with pytest.raises(GateClosed):
        await slow_claim(scene, meanwhile=lambda: scene.gate.close(PauseReason.BLOCKED, "why"))

    assert not scene.endpoint.calls
    assert scene.ledger.done == ["claim r", "release r"]


async def test_nor_when_the_drain_began_meanwhile() -> None:
    scene = Scene(ACCEPTED)

    with pytest.raises(Draining):
        await slow_claim(scene, meanwhile=scene.drain.begin)

    assert not scene.endpoint.calls
    assert scene.ledger.done == ["claim r", "release r"]


async def test_a_probe_may_start_while_the_gate_is_closed_for_what_it_tries() -> None:
    scene = Scene(ACCEPTED)
    scene.gate.close(PauseReason.BLOCKED, "why")
    scene.gate.begin_probe()

    assert await slow_claim(scene) == made(ACCEPTED)


async def test_but_not_when_the_ledger_or_the_broker_went_away_as_well() -> None:
    scene = Scene(ACCEPTED)
    scene.gate.close(PauseReason.BLOCKED, "why")
    scene.gate.begin_probe()

    with pytest.raises(GateClosed):
        await slow_claim(scene, meanwhile=lambda: scene.gate.close(PauseReason.BROKER, "why"))

    assert not scene.endpoint.calls


THROTTLED = RefusedForNow(ANSWER, throttled=True, retry_after=30.0)


def in_a_pause(
    *,
    known: SubmittedRecord | DoubtRecord | None = None,
    seconds_left: float | None = None,
    turn_within: float = math.inf,
) -> tuple[Made | type[Exception], Scene, float]:
    """Ask for a call while a `Retry-After` of 30 s holds all calls up; tell what came of it, and after how long."""

    async def scenario() -> tuple[Made | type[Exception], Scene, float]:
        scene = Scene(THROTTLED, ACCEPTED)
        await scene.make(replace(CALL, request_id="refused"))
        if known is not None:
            await scene.ledger.record("r", known)
        deadline = None if seconds_left is None else NEW_YEAR + timedelta(seconds=seconds_left)
        try:
            made: Made | type[Exception] = await scene.paid_call.make(CALL, 1, deadline, turn_within)
        except TurnMissed as missed:
            made = type(missed)
        return made, scene, loop_time()

    return in_virtual_time(scenario)


def test_a_refusal_of_one_call_holds_up_the_next_one() -> None:
    outcome, scene, seconds = in_a_pause()
    assert outcome == made(ACCEPTED)
    assert seconds == pytest.approx(30.0, abs=0.01)
    assert len(scene.endpoint.calls) == 2


def test_a_deadline_that_passes_before_its_turn_is_told_at_once_and_without_a_call() -> None:
    outcome, scene, seconds = in_a_pause(seconds_left=12.0)
    assert outcome == TooLate()
    assert seconds == pytest.approx(12.0)
    assert len(scene.endpoint.calls) == 1
    assert "claim r" not in scene.ledger.begun


@pytest.mark.parametrize("known", [SUBMITTED, DOUBT])
def test_what_is_known_is_told_also_where_the_deadline_passes_before_its_turn(
    known: SubmittedRecord | DoubtRecord,
) -> None:
    outcome, scene, _ = in_a_pause(known=known, seconds_left=12.0)
    assert outcome == known
    assert CallPrevented("r", in_doubt=known is DOUBT) in scene.observer.facts


@pytest.mark.parametrize(("turn_within", "seconds_left"), [(7.0, None), (7.0, 12.0), (0.0, None), (-1.0, 12.0)])
def test_a_turn_that_does_not_come_in_time_is_missed(turn_within: float, seconds_left: float | None) -> None:
    outcome, scene, seconds = in_a_pause(turn_within=turn_within, seconds_left=seconds_left)
    assert outcome is TurnMissed
    assert seconds == pytest.approx(max(0.0, turn_within))
    assert len(scene.endpoint.calls) == 1


def test_a_ledger_that_goes_away_while_a_late_request_is_looked_up_is_waited_for() -> None:
    async def scenario() -> None:
        scene = Scene(THROTTLED)
        await scene.make(replace(CALL, request_id="refused"))
        scene.ledger.suffer(LedgerFault.REFUSED, "find")
        making = asyncio.ensure_future(scene.make(seconds_left=12.0))
        await scene.observer.wait_for(ConsumptionPaused, guard=30.0)
        assert not making.done()
        scene.clock.advance(15.0)
        scene.ledger.mend()
        scene.gate.open(PauseReason.LEDGER)
        assert await making == TooLate()

    in_virtual_time(scenario)


@pytest.mark.parametrize(
    "result",
    [
        NotSent(NotSentReason.DNS, ANSWER),
        RefusedForNow(ANSWER, throttled=False, retry_after=30.0),
        RefusedForGood(ANSWER),
        UNCERTAIN,
    ],
    ids=lambda result: type(result).__name__,
)
def test_no_other_result_than_429_holds_up_others(result: CallResult) -> None:
    async def scenario() -> None:
        scene = Scene(result, ACCEPTED)
        await scene.make(replace(CALL, request_id="first"))
        assert await scene.make() == made(ACCEPTED)
        assert loop_time() == 0.0

    in_virtual_time(scenario)
