import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from typing_extensions import override

from service.core.call import (
    Accepted,
    Answer,
    Blocked,
    CallResult,
    FailedCall,
    NotSent,
    NotSentReason,
    RefusedForGood,
    RefusedForNow,
    Uncertain,
    UncertainReason,
)
from service.core.catalogue import Catalogue, Model
from service.core.delivery import Delivery, Identity
from service.core.facts import DefectFound
from service.core.handling import Handler, SecondTierPolicy
from service.core.history import History, history_headers
from service.core.identity import NO_MESSAGE_ID
from service.core.ledger import DoubtRecord, SubmittedRecord
from service.core.outcome import (
    BlockedOut,
    Defect,
    Expired,
    Handled,
    InDoubt,
    Interrupted,
    Invalid,
    Malformed,
    Outcome,
    Postponed,
    RateLimited,
    Rejected,
    Repeated,
    Submitted,
    Unavailable,
    Withdrawn,
)
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
from service.core.reading import Reading, RequestReader
from service.core.retry import OnUncertain
from service.core.topology import RetryTier
from tests.support.fakes import NEW_YEAR, FakeClock, RecordingObserver, ScriptedCaller
from tests.support.records import record

CATALOGUE = Catalogue(models=(Model(name="wan", aliases=("w",), sizes=((832, 480),), durations=(5,)),))
IDENTITY = Identity("r-1", "c-1", made_up=False)
ANSWER = Answer(400, "Code", "words")
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


T10S, T1M, T5M, T30M = TIERS = (
    RetryTier("10s", timedelta(seconds=10)),
    RetryTier("1m", timedelta(minutes=1)),
    RetryTier("5m", timedelta(minutes=5)),
    RetryTier("30m", timedelta(minutes=30)),
)
PARK = SecondTierPolicy(TIERS, timedelta(hours=6))
RESEND = SecondTierPolicy(TIERS, timedelta(hours=6), OnUncertain.RESEND)
# The retry budget ended with the first delivery.
AT_ONCE = SecondTierPolicy(TIERS, timedelta(0))
RESEND_AT_ONCE = SecondTierPolicy(TIERS, timedelta(0), OnUncertain.RESEND)


class Scene:
    def __init__(
        self, caller: ScriptedCaller, reader: RequestReader | None = None, policy: SecondTierPolicy = PARK
    ) -> None:
        self.caller = caller
        self.observer = RecordingObserver()
        self.clock = FakeClock()
        reader = reader or RequestReader(CATALOGUE, max_bytes=1000)
        self.handler = Handler(reader, caller, policy, self.clock, self.observer)

    async def handle(self, delivery: Delivery, identity: Identity = IDENTITY) -> Handled:
        return await self.handler.handle(delivery, identity)


class BrokenReader(RequestReader):
    @override
    def read(self, delivery: Delivery) -> Reading:
        raise ZeroDivisionError


def _delivery(deadline: datetime | None = None, **headers: object) -> Delivery:
    body = json.dumps({"prompt": "a cat", "model": "w"}).encode()
    if deadline is not None:
        headers["x-deadline"] = deadline.isoformat()
    return Delivery(body, headers=headers)


async def test_a_call_carries_the_request_its_id_and_its_trace() -> None:
    scene = Scene(ScriptedCaller())

    await scene.handle(_delivery(traceparent=TRACEPARENT))

    (call,) = scene.caller.calls
    assert call.request_id == "r-1"
    assert (call.request.prompt, call.request.model) == ("a cat", "wan")
    assert call.trace == {"traceparent": TRACEPARENT}


async def test_a_call_knows_where_the_end_of_its_task_is_to_be_told() -> None:
    scene = Scene(ScriptedCaller())

    await scene.handle(replace(_delivery(), reply_to="replies"))

    (call,) = scene.caller.calls
    assert (call.reply_to, call.correlation_id) == ("replies", "c-1")


@pytest.mark.parametrize(
    ("placed", "outcome"),
    [
        (Obtained(record(attempts=2)), Submitted(record(attempts=2))),
        (Finished(RefusedForGood(ANSWER), 2), Rejected(ANSWER, 2)),
        (Finished(RefusedForGood(ANSWER, forbidden=True), 2), Rejected(ANSWER, 2)),
        (Finished(RefusedForNow(ANSWER, throttled=True), 2), RateLimited(ANSWER, 2)),
        (Finished(RefusedForNow(ANSWER, throttled=False), 2), Unavailable(ANSWER, 2)),
        (Finished(NotSent(NotSentReason.REFUSED, ANSWER), 2), Unavailable(ANSWER, 2)),
        (Finished(Blocked(ANSWER), 2), BlockedOut(ANSWER, 2)),
        (Finished(Uncertain(UncertainReason.TIMEOUT, ANSWER), 2), InDoubt(ANSWER, 2)),
        (Finished(RefusedForGood(ANSWER), 2, doubt=True), InDoubt(ANSWER, 2, later_failed=True)),
        (Finished(RefusedForNow(ANSWER, throttled=True), 2, doubt=True), InDoubt(ANSWER, 2, later_failed=True)),
        (Finished(NotSent(NotSentReason.REFUSED, ANSWER), 2, doubt=True), InDoubt(ANSWER, 2, later_failed=True)),
        (Finished(Blocked(ANSWER), 2, doubt=True), InDoubt(ANSWER, 2, later_failed=True)),
        (Finished(Uncertain(UncertainReason.TIMEOUT, ANSWER), 2, doubt=True), InDoubt(ANSWER, 2)),
        (GivenBack(2), Interrupted(2)),
    ],
)
async def test_what_the_call_came_to_names_the_outcome_when_the_retry_budget_has_ended(
    placed: Placed, outcome: Outcome
) -> None:
    assert await Scene(ScriptedCaller(placed), policy=AT_ONCE).handle(_delivery()) == Handled(outcome)


async def test_a_deadline_that_passes_between_attempts_ends_as_expired() -> None:
    deadline = NEW_YEAR + timedelta(minutes=1)
    scene = Scene(ScriptedCaller(DeadlinePassed(attempts=3)))

    assert await scene.handle(_delivery(deadline)) == Handled(Expired(deadline, attempts=3))
    assert scene.caller.deadlines == [deadline]


async def test_a_deadline_in_the_past_is_left_to_the_caller_because_the_ledger_may_know_an_answer() -> None:
    record = SubmittedRecord("t", "wan", 1, NEW_YEAR - timedelta(hours=2))
    scene = Scene(ScriptedCaller(AlreadyKnown(record)))
    deadline = NEW_YEAR - timedelta(hours=1)

    assert await scene.handle(_delivery(deadline)) == Handled(Repeated(record))
    assert scene.caller.deadlines == [deadline]


async def test_timestamp_and_expiration_make_a_deadline_too() -> None:
    scene = Scene(ScriptedCaller(DeadlinePassed(attempts=0)))
    delivery = Delivery(_delivery().body, timestamp=datetime(2025, 12, 31, tzinfo=UTC), expiration=timedelta(hours=1))

    handled = await scene.handle(delivery)

    assert handled == Handled(Expired(datetime(2025, 12, 31, 1, tzinfo=UTC), attempts=0))
    assert scene.caller.deadlines == [datetime(2025, 12, 31, 1, tzinfo=UTC)]


@pytest.mark.parametrize(("body", "kind"), [(b"no json", Malformed), (b"{}", Invalid)])
async def test_an_unreadable_message_is_never_called(body: bytes, kind: type[Outcome]) -> None:
    scene = Scene(ScriptedCaller())

    handled = await scene.handle(Delivery(body))

    assert isinstance(handled.outcome, kind)
    assert not scene.caller.calls


KNOWN = [
    (
        AlreadyKnown(SubmittedRecord("t", "wan-old", 3, NEW_YEAR)),
        Repeated(SubmittedRecord("t", "wan-old", 3, NEW_YEAR)),
    ),
    (AlreadyKnown(DoubtRecord(ANSWER, 3)), InDoubt(ANSWER, 3)),
    (RunningElsewhere(30.0), Postponed(T1M, History(NEW_YEAR, attempts=2, postponed=1))),
    (GivenBack(0), Interrupted(2)),
]


@pytest.mark.parametrize("body", [b"no json", b"{}"])
@pytest.mark.parametrize(("known", "outcome"), KNOWN, ids=lambda value: type(value).__name__)
async def test_an_unreadable_message_is_answered_with_what_became_of_an_earlier_copy(
    known: AlreadyKnown | RunningElsewhere | GivenBack, outcome: Outcome, body: bytes
) -> None:
    scene = Scene(ScriptedCaller())
    scene.caller.known["r-1"] = known
    delivery = replace(_past(attempts=2, postponed=1, first_seen="2026-01-01T00:00:00Z"), body=body)

    assert await scene.handle(delivery) == Handled(outcome)
    assert not scene.caller.calls


async def test_an_unreadable_message_without_an_id_is_not_looked_up() -> None:
    scene = Scene(ScriptedCaller())
    scene.caller.known["new"] = AlreadyKnown(DoubtRecord(ANSWER, 1))

    handled = await scene.handle(Delivery(b"no json"), Identity("new", "new", made_up=True))

    assert isinstance(handled.outcome, Malformed)
    assert not scene.caller.looked_up


@pytest.mark.parametrize("body", [b"no json", b"{}"])
async def test_an_unreadable_message_that_brings_a_doubt_is_in_doubt_where_nothing_is_known(body: bytes) -> None:
    scene = Scene(ScriptedCaller())

    handled = await scene.handle(replace(_past(attempts=2, doubt=True), body=body))

    assert handled == Handled(InDoubt(Answer(), 2))
    assert scene.caller.looked_up == ["r-1"]


async def test_a_readable_message_is_not_looked_up_first() -> None:
    scene = Scene(ScriptedCaller())

    await scene.handle(_delivery())

    assert not scene.caller.looked_up


@pytest.mark.parametrize("body", [_delivery().body, b"no json"])
async def test_a_message_without_an_id_is_warned_about(body: bytes) -> None:
    handled = await Scene(ScriptedCaller()).handle(Delivery(body), Identity("new", "new", made_up=True))

    assert handled.warnings == (NO_MESSAGE_ID,)


async def test_warnings_of_the_reader_reach_the_reply() -> None:
    body = json.dumps({"prompt": "a" * 900, "model": "wan"}).encode()

    handled = await Scene(ScriptedCaller()).handle(Delivery(body))

    (warning,) = handled.warnings
    assert "prompt" in warning


async def test_a_reader_that_crashes_is_a_defect_without_a_call() -> None:
    scene = Scene(ScriptedCaller(), BrokenReader(CATALOGUE, max_bytes=1000))

    assert await scene.handle(_delivery()) == Handled(Defect(called=False))
    (defect,) = scene.observer.of(DefectFound)
    assert defect.request_id == "r-1"
    assert isinstance(defect.error, ZeroDivisionError)
    assert not scene.caller.calls


async def test_a_caller_that_crashes_is_a_defect_that_may_have_called() -> None:
    scene = Scene(ScriptedCaller(ZeroDivisionError()))

    assert await scene.handle(_delivery()) == Handled(Defect(called=True))
    assert len(scene.observer.of(DefectFound)) == 1


def test_the_table_of_results_is_whole() -> None:
    named = {Accepted, NotSent, RefusedForNow, RefusedForGood, Blocked, Uncertain}

    assert set(CallResult.__args__) == named


RETRIABLE = [
    NotSent(NotSentReason.REFUSED, ANSWER),
    RefusedForNow(ANSWER, throttled=True),
    RefusedForNow(ANSWER, throttled=False),
]


def _past(**history: object) -> Delivery:
    return replace(_delivery(), headers={f"x-{name.replace('_', '-')}": value for name, value in history.items()})


def _again(history: History, deadline: datetime | None = None) -> Delivery:
    """Deliver the request again, as it comes back from where it was moved."""
    first = _delivery(deadline)
    return replace(first, headers={**first.headers, **history_headers(history)})


@pytest.mark.parametrize("result", RETRIABLE, ids=repr)
async def test_a_call_that_may_be_made_again_is_postponed_with_its_history(result: FailedCall) -> None:
    scene = Scene(ScriptedCaller(Finished(result, 4)))

    handled = await scene.handle(_past(attempts=4, postponed=1, first_seen="2025-12-31T23:59:00Z"))

    seen = NEW_YEAR - timedelta(minutes=1)
    assert handled == Handled(Postponed(T1M, History(seen, attempts=8, postponed=2)))


async def test_each_failed_delivery_waits_longer_until_the_retry_budget_ends() -> None:
    scene = Scene(ScriptedCaller(Finished(NotSent(NotSentReason.DNS, ANSWER), 4)))
    history, tiers = History(NEW_YEAR), []
    while isinstance(outcome := (await scene.handle(_again(history))).outcome, Postponed):
        tiers.append(outcome.tier.name)
        history = outcome.history
        scene.clock.advance(outcome.tier.wait.total_seconds())

    # 6 h: as many of the longest as fit, then shorter ones.
    assert tiers[:4] == ["10s", "1m", "5m", "30m"]
    assert tiers == [*tiers[:3], *["30m"] * 11, *["5m"] * 4, *["1m"] * 3, *["10s"] * 4]
    assert outcome == Unavailable(ANSWER, 4 * (len(tiers) + 1))
    assert scene.clock.now() < NEW_YEAR + PARK.max_age


async def test_the_wait_that_the_server_asks_for_picks_the_tier() -> None:
    scene = Scene(ScriptedCaller(Finished(RefusedForNow(ANSWER, throttled=True, retry_after=120.0), 1)))

    assert await scene.handle(_delivery()) == Handled(Postponed(T5M, History(NEW_YEAR, attempts=1, postponed=1)))


async def test_a_wait_longer_than_every_tier_goes_round_without_a_call() -> None:
    scene = Scene(ScriptedCaller(Finished(RefusedForNow(ANSWER, throttled=True, retry_after=4000.0), 1)))
    history, tiers = History(NEW_YEAR), []
    while len(scene.caller.calls) < 2:
        outcome = (await scene.handle(_again(history))).outcome
        assert isinstance(outcome, Postponed)
        if len(scene.caller.calls) < 2:
            tiers.append(outcome.tier.name)
            history = outcome.history
            assert (history.attempts, history.postponed) == (1, 1)
            scene.clock.advance(outcome.tier.wait.total_seconds())

    assert tiers == ["30m", "30m", "30m"]
    assert scene.clock.now() >= NEW_YEAR + timedelta(seconds=4000)


@pytest.mark.parametrize(("left", "tier"), [(400, T5M), (200, T1M), (15, T10S), (5, T10S)])
async def test_a_round_does_not_outlast_the_deadline(left: int, tier: RetryTier) -> None:
    scene = Scene(ScriptedCaller())
    history = History(NEW_YEAR, not_before=NEW_YEAR + timedelta(seconds=290))

    handled = await scene.handle(_again(history, NEW_YEAR + timedelta(seconds=left)))

    assert isinstance(handled.outcome, Postponed)
    assert handled.outcome.tier == tier
    assert not scene.caller.calls


@pytest.mark.parametrize("over", ["deadline", "retry budget"])
async def test_a_wait_asked_for_means_nothing_when_time_is_up(over: str) -> None:
    scene = Scene(ScriptedCaller())
    first_seen = NEW_YEAR if over == "deadline" else NEW_YEAR - PARK.max_age
    history = History(first_seen, not_before=NEW_YEAR + timedelta(hours=1))

    await scene.handle(_again(history, NEW_YEAR if over == "deadline" else None))

    assert len(scene.caller.calls) == 1


@pytest.mark.parametrize("result", RETRIABLE, ids=repr)
async def test_no_wait_is_begun_that_outlasts_the_deadline(result: FailedCall) -> None:
    scene = Scene(ScriptedCaller(Finished(result, 4)))

    handled = await scene.handle(_delivery(NEW_YEAR + timedelta(seconds=10)))

    assert isinstance(handled.outcome, RateLimited | Unavailable)


async def test_a_blocked_request_goes_back_while_it_is_young_and_fails_when_its_budget_ends() -> None:
    scene = Scene(ScriptedCaller(Finished(Blocked(ANSWER), 1)))

    assert await scene.handle(_delivery()) == Handled(Withdrawn(History(NEW_YEAR, attempts=1)))

    again = _again(History(NEW_YEAR, attempts=1))
    scene.clock.advance(PARK.max_age.total_seconds() - 1)
    assert await scene.handle(again) == Handled(Withdrawn(History(NEW_YEAR, attempts=2)))
    scene.clock.advance(1)
    assert await scene.handle(again) == Handled(BlockedOut(ANSWER, 2))


@pytest.mark.parametrize("doubt", [False, True])
async def test_a_request_that_was_withheld_goes_back_with_its_history(*, doubt: bool) -> None:
    scene = Scene(ScriptedCaller(Withheld(2, doubt=doubt, last=None)))

    handled = await scene.handle(_past(attempts=3, postponed=2, first_seen="2026-01-01T00:00:00Z", replay="copy-1"))

    history = History(NEW_YEAR, attempts=5, postponed=2, doubt=doubt, replay="copy-1")
    assert handled == Handled(Withdrawn(history))


async def test_a_withheld_request_whose_last_call_failed_after_its_retry_budget_ends_in_that_failure() -> None:
    not_sent = NotSent(NotSentReason.REFUSED, ANSWER)
    scene = Scene(ScriptedCaller(Withheld(1, doubt=False, last=not_sent)))
    past = _again(History(NEW_YEAR, attempts=4))

    scene.clock.advance(PARK.max_age.total_seconds() - 1)
    assert await scene.handle(past) == Handled(Withdrawn(History(NEW_YEAR, attempts=5)))
    scene.clock.advance(1)
    assert await scene.handle(past) == Handled(Unavailable(ANSWER, 5))


async def test_an_uncertain_call_that_may_be_sent_again_is_postponed_with_its_doubt() -> None:
    scene = Scene(ScriptedCaller(Finished(Uncertain(UncertainReason.TIMEOUT, ANSWER), 4)), policy=RESEND)

    handled = await scene.handle(_delivery())

    assert handled == Handled(Postponed(T10S, History(NEW_YEAR, attempts=4, postponed=1, doubt=True)))


async def test_an_uncertain_call_that_is_parked_is_never_postponed() -> None:
    scene = Scene(ScriptedCaller(Finished(Uncertain(UncertainReason.TIMEOUT, ANSWER), 1)))

    assert await scene.handle(_delivery()) == Handled(InDoubt(ANSWER, 1))


@pytest.mark.parametrize(
    "result",
    [*RETRIABLE, RefusedForGood(ANSWER), Blocked(ANSWER), Uncertain(UncertainReason.TIMEOUT, ANSWER)],
    ids=repr,
)
async def test_a_failure_after_a_doubt_in_an_earlier_delivery_is_in_doubt_whatever_it_is(result: FailedCall) -> None:
    scene = Scene(ScriptedCaller(Finished(result, 1)), policy=RESEND_AT_ONCE)

    handled = await scene.handle(_past(attempts=4, doubt=True))

    assert handled == Handled(InDoubt(ANSWER, 5, later_failed=not isinstance(result, Uncertain)))


async def test_a_deadline_that_passes_after_a_doubt_in_an_earlier_delivery_is_no_plain_expiry() -> None:
    scene = Scene(ScriptedCaller(DeadlinePassed(attempts=0)))

    handled = await scene.handle(_again(History(NEW_YEAR, attempts=4, doubt=True), NEW_YEAR))

    assert handled == Handled(InDoubt(Answer(), 4))


async def test_a_doubt_does_not_hide_a_task() -> None:
    scene = Scene(ScriptedCaller(Obtained(record(attempts=5))))

    assert await scene.handle(_past(attempts=4, doubt=True)) == Handled(Submitted(record(attempts=5)))


@pytest.mark.parametrize(
    ("known", "outcome"),
    [
        (SubmittedRecord("t", "wan-old", 3, NEW_YEAR), Repeated(SubmittedRecord("t", "wan-old", 3, NEW_YEAR))),
        (DoubtRecord(ANSWER, 3), InDoubt(ANSWER, 3)),
    ],
)
async def test_what_the_ledger_knows_is_the_outcome(known: SubmittedRecord | DoubtRecord, outcome: Outcome) -> None:
    assert await Scene(ScriptedCaller(AlreadyKnown(known))).handle(_past(attempts=9)) == Handled(outcome)


@pytest.mark.parametrize(("seconds", "tier"), [(1.0, T10S), (30.0, T1M), (1e6, T30M)])
async def test_a_request_that_runs_elsewhere_comes_back_when_that_call_is_over(seconds: float, tier: RetryTier) -> None:
    scene = Scene(ScriptedCaller(RunningElsewhere(seconds)))

    handled = await scene.handle(_past(attempts=2, postponed=3, first_seen="2026-01-01T00:00:00Z"))

    assert handled == Handled(Postponed(tier, History(NEW_YEAR, attempts=2, postponed=3)))


async def test_what_was_called_here_before_is_not_forgotten_when_a_request_turns_out_to_run_elsewhere() -> None:
    scene = Scene(ScriptedCaller(RunningElsewhere(1.0, attempts=3, doubt=True)))

    handled = await scene.handle(_past(attempts=2, first_seen="2026-01-01T00:00:00Z"))

    assert handled == Handled(Postponed(T10S, History(NEW_YEAR, attempts=5, doubt=True)))


async def test_a_defect_counts_the_calls_of_earlier_deliveries() -> None:
    scene = Scene(ScriptedCaller(RuntimeError("a defect")))

    assert await scene.handle(_past(attempts=4)) == Handled(Defect(called=True, earlier=4))


async def test_a_call_carries_the_number_of_earlier_ones_and_its_replay() -> None:
    scene = Scene(ScriptedCaller())

    await scene.handle(_past(attempts=7, replay="copy-1"))

    (call,) = scene.caller.calls
    assert (call.earlier, call.replay) == (7, "copy-1")


@pytest.mark.parametrize("result", RETRIABLE, ids=repr)
async def test_a_doubt_on_record_is_postponed_with_the_message(result: FailedCall) -> None:
    scene = Scene(ScriptedCaller(Finished(result, 1, doubt=True)))

    handled = await scene.handle(_delivery())

    history = History(NEW_YEAR, attempts=1, postponed=1, doubt=True)
    assert handled == Handled(Postponed(T10S, history))
    assert history_headers(history)["x-doubt"] is True


@pytest.mark.parametrize(
    ("result", "later_failed"),
    [(Uncertain(UncertainReason.TIMEOUT, ANSWER), False), (NotSent(NotSentReason.DNS, ANSWER), True)],
)
async def test_a_doubt_whose_deadline_passed_before_the_next_call_is_no_plain_expiry(
    result: FailedCall, *, later_failed: bool
) -> None:
    scene = Scene(ScriptedCaller(Finished(result, 1, doubt=True)), policy=RESEND)

    assert await scene.handle(_delivery(NEW_YEAR)) == Handled(InDoubt(ANSWER, 1, later_failed=later_failed))
