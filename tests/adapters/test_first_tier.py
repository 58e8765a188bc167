import asyncio
import math
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import cycle

import pytest

from service.adapters.first_tier import FirstTier
from service.core.admission import GatedAdmission
from service.core.bookkeeping import Bookkeeping
from service.core.call import (
    Accepted,
    Answer,
    Blocked,
    Call,
    CallResult,
    FailedCall,
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
from service.core.facts import CallEnded, Fact, RetryPlanned, RetryReason
from service.core.gate import Gate, GateClosed, HeldTooLong
from service.core.ledger import DoubtRecord, Permit, SubmittedRecord
from service.core.paid_call import PaidCall
from service.core.placement import (
    AlreadyKnown,
    DeadlinePassed,
    Finished,
    GivenBack,
    Obtained,
    Placed,
    RunningElsewhere,
    Withheld,
)
from service.core.ports import Admission
from service.core.retry import OnUncertain, RetryPolicy
from service.core.turns import TurnMissed, Turns
from tests.support.fakes import NEW_YEAR, FakeClock, RecordingObserver, ScriptedEndpoint
from tests.support.flaky_ledger import FlakyLedger, LedgerFault

CALL = Call("request-1", VideoRequest(prompt="a cat", model="wan2.2-t2v-plus"), {})
ANSWER = Answer()
ACCEPTED = Accepted("task-1")
NOT_SENT = NotSent(NotSentReason.REFUSED, ANSWER)
THROTTLED = RefusedForNow(ANSWER, throttled=True)
FORBIDDEN = RefusedForGood(ANSWER, forbidden=True)
UNCERTAIN = Uncertain(UncertainReason.TIMEOUT, ANSWER)
RESEND = RetryPolicy(on_uncertain=OnUncertain.RESEND)
# Three waits at half the jitter.
WAITED = timedelta(seconds=0.25 + 0.5 + 1.0)


class ClockedAdmission:
    """Lets everybody in and counts who is in. A pause is over at once, and the clock has moved on by its length.

    `signals` are raised one after the other where a request asks to wait; `at_the_door` happens where it asks for a
    place.
    """

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.held = 0
        self.pauses: list[float] = []
        self.patience: list[float] = []
        self.heard: list[CallResult] = []
        self.at_the_door: Callable[[], None] = lambda: None
        self.signals: deque[Exception] = deque()

    @asynccontextmanager
    async def turn(self, patience: float = math.inf) -> AsyncIterator["ClockedAdmission"]:
        self.patience.append(patience)
        self.at_the_door()
        self.held += 1
        try:
            yield self
        finally:
            self.held -= 1

    def may_start(self) -> bool:
        return True

    def came_to(self, result: CallResult) -> None:
        self.heard.append(result)

    async def pause(self, seconds: float) -> None:
        if self.signals:
            raise self.signals.popleft()
        self.pauses.append(seconds)
        self._clock.advance(seconds)


@dataclass
class Setting:
    """A first tier and everything around it."""

    endpoint: ScriptedEndpoint
    policy: RetryPolicy = field(default_factory=RetryPolicy)
    draws: tuple[float, ...] = (0.5,)

    def __post_init__(self) -> None:
        self.clock = FakeClock()
        self.observer = RecordingObserver()
        self.drain = Drain()
        self.gate = Gate(self.drain, self.observer, patience=5.0)
        self.ledger = FlakyLedger(self.clock)
        self.admission = ClockedAdmission(self.clock)
        self.tier = self.tier_behind(self.admission)

    def tier_behind(self, admission: Admission) -> FirstTier:
        draws = cycle(self.draws)
        paid_call = PaidCall(
            endpoint=self.endpoint,
            books=Bookkeeping(self.ledger, self.gate, self.observer, patience=5.0),
            admission=admission,
            health=EndpointHealth(self.gate, down_after=100, doubt_after=100),
            clock=self.clock,
            observer=self.observer,
            resend=self.policy.on_uncertain is OnUncertain.RESEND,
            patience=5.0,
        )
        return FirstTier(paid_call, admission, self.policy, self.clock, self.observer, lambda: next(draws))

    def gated_tier(self, limit: int = 1) -> FirstTier:
        return self.tier_behind(
            GatedAdmission(Turns(limit, self.gate, self.drain, self.observer, longest_pause=60.0), self.gate)
        )

    async def place(self, seconds_left: float | None = None, call: Call = CALL) -> Placed:
        deadline = None if seconds_left is None else NEW_YEAR + timedelta(seconds=seconds_left)
        return await self.tier.place(call, deadline)


def obtained(attempts: int = 1, after: float = 0.0) -> Obtained:
    at = NEW_YEAR + timedelta(seconds=after)
    return Obtained(SubmittedRecord("task-1", CALL.request.model, attempts, at))


def scripted(*results: CallResult, policy: RetryPolicy | None = None, draws: tuple[float, ...] = (0.5,)) -> Setting:
    return Setting(ScriptedEndpoint(*results), policy or RetryPolicy(), draws)


@pytest.mark.parametrize(
    "result",
    [UNCERTAIN, Blocked(ANSWER), RefusedForGood(ANSWER)],
    ids=lambda result: type(result).__name__,
)
async def test_a_final_failure_is_not_repeated(result: FailedCall) -> None:
    setting = scripted(result)
    assert await setting.place() == Finished(result, 1)
    assert setting.endpoint.calls == [CALL]


async def test_a_call_that_is_accepted_is_told_as_it_is_on_record() -> None:
    setting = scripted(ACCEPTED)
    assert await setting.place() == obtained()
    assert setting.endpoint.calls == [CALL]
    assert await setting.ledger.find("request-1") == obtained().record


@pytest.mark.parametrize("failure", [NOT_SENT, THROTTLED], ids=lambda result: type(result).__name__)
async def test_a_safe_failure_is_repeated_until_it_succeeds(failure: CallResult) -> None:
    setting = scripted(failure, failure, ACCEPTED)
    assert await setting.place() == obtained(3, after=0.75)


async def test_the_last_of_four_failures_is_the_result() -> None:
    setting = scripted(NOT_SENT, NOT_SENT, NOT_SENT, THROTTLED)
    assert await setting.place() == Finished(THROTTLED, 4)
    assert len(setting.endpoint.calls) == 4


async def test_waits_grow_and_each_is_drawn_once() -> None:
    setting = scripted(NOT_SENT, draws=(0.1, 0.2, 0.3))
    await setting.place()
    assert setting.admission.pauses == pytest.approx([0.1 * 0.5, 0.2 * 1.0, 0.3 * 2.0])


async def test_the_latest_retry_after_is_the_floor() -> None:
    slow, slower = (RefusedForNow(ANSWER, throttled=True, retry_after=wait) for wait in (3.0, 9.0))
    setting = scripted(slow, slower, ACCEPTED)
    await setting.place()
    assert setting.admission.pauses == [3.0, 9.0]


async def test_a_retry_after_beyond_the_budget_ends_the_tier_at_once() -> None:
    refused = RefusedForNow(ANSWER, throttled=True, retry_after=61.0)
    setting = scripted(refused)
    assert await setting.place() == Finished(refused, 1)
    assert setting.admission.pauses == []


async def test_the_budget_counts_the_time_since_the_request_came() -> None:
    refused = RefusedForNow(ANSWER, throttled=True, retry_after=25.0)
    setting = scripted(refused)
    assert await setting.place() == Finished(refused, 3)


async def test_facts_tell_calls_and_planned_retries_in_order() -> None:
    setting = scripted(THROTTLED, ACCEPTED)
    await setting.place()
    expected: list[Fact] = [
        CallEnded("request-1", THROTTLED, 0.0, 1),
        RetryPlanned("request-1", RetryReason.THROTTLED, 0.25, 1),
        CallEnded("request-1", ACCEPTED, 0.0, 2),
    ]
    assert setting.observer.facts == expected


async def test_a_call_is_timed_without_its_wait_for_a_slot() -> None:
    setting = scripted(ACCEPTED)
    setting.admission.at_the_door = lambda: setting.clock.advance(5)
    setting.endpoint.hold()
    placing = asyncio.create_task(setting.place())
    await setting.endpoint.wait_for_calls()
    setting.clock.advance(2)
    setting.endpoint.release()
    await placing
    assert [ended.seconds for ended in setting.observer.of(CallEnded)] == [2.0]


async def test_the_slot_is_held_during_the_call_and_not_during_the_wait() -> None:
    held: list[int] = []
    setting = scripted(NOT_SENT, ACCEPTED)
    setting.admission.at_the_door = lambda: held.append(setting.admission.held)
    setting.endpoint.hold()
    placing = asyncio.create_task(setting.place())
    await setting.endpoint.wait_for_calls()
    assert setting.admission.held == 1
    setting.endpoint.release()
    await placing
    assert held == [0, 0]
    assert setting.admission.held == 0


async def test_a_wait_frees_the_slot_for_another_request() -> None:
    setting = scripted(RefusedForNow(ANSWER, throttled=False, retry_after=50), ACCEPTED)
    tier = setting.gated_tier()
    waiting = asyncio.create_task(tier.place(CALL, None))
    await setting.observer.wait_for(RetryPlanned)
    assert await tier.place(replace(CALL, request_id="request-2"), None) == obtained()
    setting.drain.begin()
    assert await waiting == GivenBack(1)


async def test_a_deadline_that_passes_in_the_queue_prevents_the_call() -> None:
    setting = scripted(ACCEPTED)
    setting.admission.at_the_door = lambda: setting.clock.advance(5)
    assert await setting.place(seconds_left=5) == DeadlinePassed(0)
    assert setting.endpoint.calls == []


async def test_a_deadline_that_passes_before_a_repetition_prevents_it() -> None:
    setting = scripted(NOT_SENT)
    setting.admission.at_the_door = lambda: setting.clock.advance(3)
    assert await setting.place(seconds_left=5) == DeadlinePassed(1)


async def test_a_wait_up_to_the_deadline_is_not_begun() -> None:
    setting = scripted(RefusedForNow(ANSWER, throttled=False, retry_after=5))
    assert isinstance(await setting.place(seconds_left=5), Finished)
    assert setting.admission.pauses == []


async def test_a_drain_before_the_first_call_gives_the_request_back() -> None:
    setting = scripted(ACCEPTED)
    setting.drain.begin()
    assert await setting.gated_tier().place(CALL, None) == GivenBack(0)
    assert setting.endpoint.calls == []


async def test_a_drain_during_a_call_lets_it_end_and_reports_what_it_came_to() -> None:
    setting = scripted(ACCEPTED)
    setting.endpoint.hold()
    placing = asyncio.create_task(setting.place())
    await setting.endpoint.wait_for_calls()
    setting.drain.begin()
    setting.endpoint.release()
    assert await placing == obtained()


async def test_a_drain_during_a_call_that_would_be_repeated_gives_the_request_back() -> None:
    setting = scripted(NOT_SENT)
    setting.endpoint.hold()
    placing = asyncio.create_task(setting.gated_tier().place(CALL, None))
    await setting.endpoint.wait_for_calls()
    setting.drain.begin()
    setting.endpoint.release()
    assert await placing == GivenBack(1)


async def test_the_fifth_forbidden_request_in_a_row_is_blocked() -> None:
    setting = scripted(FORBIDDEN)
    placed = [await setting.place(call=replace(CALL, request_id=f"request-{number}")) for number in range(5)]
    assert placed == [Finished(FORBIDDEN, 1)] * 4 + [Finished(Blocked(ANSWER), 1)]
    assert [ended.result for ended in setting.observer.of(CallEnded)][-1] == Blocked(ANSWER)


async def test_an_uncertain_call_is_sent_again_only_where_the_policy_resends() -> None:
    assert await scripted(UNCERTAIN, ACCEPTED).place() == Finished(UNCERTAIN, 1)
    assert await scripted(UNCERTAIN, ACCEPTED, policy=RESEND).place() == obtained(2, after=0.25)


async def test_a_doubt_that_was_sent_again_outlives_a_later_refusal() -> None:
    refused = RefusedForGood(ANSWER)
    assert await scripted(UNCERTAIN, refused, policy=RESEND).place() == Finished(refused, 2, doubt=True)


async def test_a_deadline_after_a_doubt_does_not_claim_that_nothing_was_paid_for() -> None:
    setting = scripted(UNCERTAIN, policy=RESEND)
    setting.admission.at_the_door = lambda: setting.clock.advance(3)
    assert await setting.place(seconds_left=5) == AlreadyKnown(DoubtRecord(ANSWER, 1))


async def test_a_deadline_after_a_doubt_that_the_ledger_forgot_ends_as_that_doubt() -> None:
    setting = scripted(UNCERTAIN, policy=RESEND)

    def forget_and_go_on() -> None:
        setting.ledger.kept._entries.clear()
        setting.clock.advance(3)

    setting.admission.at_the_door = forget_and_go_on
    assert await setting.place(seconds_left=5) == Finished(UNCERTAIN, 1, doubt=True)


async def test_a_defect_in_the_endpoint_is_raised_and_frees_the_slot() -> None:
    setting = Setting(ScriptedEndpoint(RuntimeError("a defect")))
    with pytest.raises(RuntimeError, match="a defect"):
        await setting.place()
    assert setting.admission.held == 0


async def test_cancellation_propagates_and_frees_the_slot() -> None:
    setting = scripted(ACCEPTED)
    setting.endpoint.hold()
    placing = asyncio.create_task(setting.place())
    await setting.endpoint.wait_for_calls()
    placing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await placing
    assert setting.admission.held == 0


@pytest.mark.parametrize(
    ("signal", "placed"),
    [
        (Draining(), GivenBack(1)),
        (HeldTooLong(), GivenBack(1)),
        (GateClosed(), Withheld(1, doubt=False, last=NOT_SENT)),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_what_ends_a_wait_names_the_placement(signal: Exception, placed: Placed) -> None:
    setting = scripted(NOT_SENT)
    setting.admission.signals.append(signal)
    assert await setting.place() == placed


@pytest.mark.parametrize("signal", [Draining(), HeldTooLong(), GateClosed()], ids=lambda signal: type(signal).__name__)
async def test_a_doubt_travels_with_the_message_whatever_ends_the_wait(signal: Exception) -> None:
    setting = scripted(UNCERTAIN, policy=RESEND)
    setting.admission.signals.append(signal)
    assert await setting.place() == Withheld(1, doubt=True, last=UNCERTAIN)


async def test_what_the_ledger_knows_is_told_without_a_call() -> None:
    setting = scripted(ACCEPTED)
    record = SubmittedRecord("task-0", "wan2.2-t2v-plus", 2, NEW_YEAR)
    await setting.ledger.record("request-1", record)
    assert await setting.place() == AlreadyKnown(record)
    assert setting.endpoint.calls == []


async def test_a_doubt_on_record_is_told_without_a_call() -> None:
    setting = scripted(ACCEPTED)
    await setting.ledger.record("request-1", DoubtRecord(ANSWER, 1))
    assert await setting.place() == AlreadyKnown(DoubtRecord(ANSWER, 1))
    assert setting.endpoint.calls == []


async def test_a_call_that_runs_elsewhere_is_not_made_here() -> None:
    setting = scripted(ACCEPTED)
    await setting.ledger.claim("request-1", 1, Permit())
    setting.clock.advance(20)
    assert await setting.place() == RunningElsewhere(40.0)
    assert setting.endpoint.calls == []


async def test_attempts_of_earlier_deliveries_count_on_the_record_and_not_towards_the_tier() -> None:
    setting = scripted(NOT_SENT, NOT_SENT, NOT_SENT, ACCEPTED)
    assert await setting.place(call=replace(CALL, earlier=8)) == obtained(12, after=1.75)
    assert [ended.attempt for ended in setting.observer.of(CallEnded)] == [9, 10, 11, 12]
    assert await setting.ledger.find("request-1") == SubmittedRecord("task-1", "wan2.2-t2v-plus", 12, NEW_YEAR + WAITED)


async def test_each_call_of_the_tier_is_claimed_anew_and_released_after_a_safe_failure() -> None:
    setting = scripted(NOT_SENT, ACCEPTED)
    await setting.place()
    assert setting.ledger.done == ["claim request-1", "release request-1", "claim request-1", "record request-1"]


FAILURES = [NOT_SENT, THROTTLED, RefusedForGood(ANSWER), Blocked(ANSWER), UNCERTAIN]


async def in_doubt(*results: CallResult) -> Setting:
    """Set a tier up for a forced replay of a request in doubt."""
    setting = scripted(*results)
    await setting.ledger.record("request-1", DoubtRecord(ANSWER, 1))
    return setting


REPLAY = replace(CALL, replay="copy-1")


@pytest.mark.parametrize("result", FAILURES, ids=repr)
async def test_a_doubt_on_record_is_told_with_whatever_a_permitted_call_fails_with(result: CallResult) -> None:
    setting = await in_doubt(result)
    placed = await setting.place(call=REPLAY)
    assert isinstance(placed, Finished)
    assert (placed.result, placed.doubt) == (result, True)


async def test_a_doubt_on_record_is_told_where_only_the_first_of_several_claims_met_it() -> None:
    refused = RefusedForGood(ANSWER)
    setting = await in_doubt(NOT_SENT, refused)

    def forget_after_a_call() -> None:
        if setting.endpoint.calls:
            setting.ledger.kept._entries.clear()

    setting.admission.at_the_door = forget_after_a_call
    assert await setting.place(call=REPLAY) == Finished(refused, 2, doubt=True)


@pytest.mark.parametrize("signal", [Draining(), HeldTooLong(), GateClosed()], ids=lambda signal: type(signal).__name__)
async def test_a_doubt_on_record_travels_with_the_message_whatever_ends_the_wait(signal: Exception) -> None:
    setting = await in_doubt(NOT_SENT)
    setting.admission.signals.append(signal)
    assert await setting.place(call=REPLAY) == Withheld(1, doubt=True, last=NOT_SENT)


async def test_a_deadline_after_a_doubt_on_record_that_the_ledger_forgot_does_not_claim_that_nothing_was_paid_for() -> (
    None
):
    setting = await in_doubt(NOT_SENT)

    def forget_after_a_call_and_go_on() -> None:
        if setting.endpoint.calls:
            setting.ledger.kept._entries.clear()
        setting.clock.advance(3)

    setting.admission.at_the_door = forget_after_a_call_and_go_on
    assert await setting.place(seconds_left=5, call=REPLAY) == Finished(NOT_SENT, 1, doubt=True)


async def test_a_request_that_is_not_called_is_looked_up() -> None:
    setting = scripted()
    assert await setting.tier.look_up("request-1") is None
    await setting.ledger.record("request-1", DoubtRecord(ANSWER, 1))
    assert await setting.tier.look_up("request-1") == AlreadyKnown(DoubtRecord(ANSWER, 1))
    await setting.ledger.claim("request-2", 1, Permit())
    assert await setting.tier.look_up("request-2") == RunningElsewhere(60.0)


async def test_a_request_that_cannot_be_looked_up_is_given_back() -> None:
    setting = scripted()
    setting.ledger.suffer(LedgerFault.REFUSED, "find")
    assert await setting.tier.look_up("request-1") == GivenBack(0)


async def test_a_claim_that_took_too_long_is_one_that_runs_elsewhere_and_is_over() -> None:
    setting = scripted(ACCEPTED)
    setting.ledger.suffer(LedgerFault.HANGS, "claim")
    placing = asyncio.create_task(setting.place())
    await setting.ledger.until(lambda: bool(setting.ledger.begun))
    setting.clock.advance(5.1)
    setting.ledger.mend()
    assert await placing == RunningElsewhere(0.0)
    assert setting.endpoint.calls == []


async def test_calls_made_before_a_request_turns_out_to_run_elsewhere_are_told() -> None:
    setting = scripted(NOT_SENT, ACCEPTED)

    def hang_the_second_time() -> None:
        if setting.endpoint.calls:
            setting.ledger.suffer(LedgerFault.HANGS, "claim")

    setting.admission.at_the_door = hang_the_second_time
    placing = asyncio.create_task(setting.place())
    await setting.ledger.until(lambda: setting.ledger.begun.count("claim request-1") == 2)
    setting.clock.advance(5.1)
    setting.ledger.mend()

    assert await placing == RunningElsewhere(0.0, attempts=1)


async def test_the_wait_for_a_turn_is_within_the_budget() -> None:
    setting = scripted(RefusedForNow(ANSWER, throttled=True, retry_after=25.0))
    await setting.place()
    assert setting.admission.patience == [60.0, 35.0, 10.0]


@pytest.mark.parametrize(
    ("results", "placed"),
    [((), Withheld(0, doubt=False, last=None)), ((THROTTLED,), Finished(THROTTLED, 1))],
    ids=["before any call", "after a call"],
)
async def test_a_turn_that_does_not_come_in_time_ends_the_tier(results: tuple[CallResult, ...], placed: Placed) -> None:
    setting = scripted(*(results or (ACCEPTED,)))

    def missed() -> None:
        if len(setting.endpoint.calls) == len(results):
            raise TurnMissed

    setting.admission.at_the_door = missed
    assert await setting.place() == placed
    assert len(setting.endpoint.calls) == len(results)


async def test_a_doubt_outlives_a_turn_that_did_not_come() -> None:
    setting = scripted(UNCERTAIN, policy=RESEND)

    def missed() -> None:
        if setting.endpoint.calls:
            raise TurnMissed

    setting.admission.at_the_door = missed
    assert await setting.place() == Finished(UNCERTAIN, 1, doubt=True)


async def test_the_admission_hears_what_each_call_came_to() -> None:
    setting = scripted(THROTTLED, ACCEPTED)
    await setting.place()
    assert setting.admission.heard == [THROTTLED, ACCEPTED]
