"""One example or more of every fact, and of every outcome and call result inside, full of sentinels."""

from datetime import UTC, datetime, timedelta

from service.core.call import (
    Accepted,
    Answer,
    Blocked,
    CallResult,
    NotSent,
    NotSentReason,
    RefusedForGood,
    RefusedForNow,
    Uncertain,
    UncertainReason,
)
from service.core.completion import CompletionStatus
from service.core.contract import FieldProblem
from service.core.facts import (
    Advice,
    BrokerBlocked,
    CallEnded,
    CallPrevented,
    ConsumerActive,
    ConsumptionPaused,
    DefectFound,
    DrainStarted,
    Fact,
    Joined,
    KeyChanged,
    LinkDown,
    LinkRole,
    LinkUp,
    LoopLag,
    PaceChanged,
    PauseReason,
    Probing,
    PublishAttempt,
    Published,
    QueueRefuses,
    Received,
    RecordMissing,
    RetryPlanned,
    RetryReason,
    Settled,
    SettlementAbandoned,
)
from service.core.history import History
from service.core.ledger import SubmittedRecord
from service.core.outcome import (
    BlockedOut,
    Defect,
    Expired,
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
from service.core.task_facts import QueriesHeld, TaskCompleted, TaskPolled, TasksPending
from service.core.task_query import HeldOffReason, QueryClass
from service.core.topology import RetryTier
from tests.support.records import record

PROMPT = "sentinel-prompt: a red fox in snow"
KEY = "sk-sentinel-key"
PASSWORD = "sentinel/pass"

AT = datetime(2026, 1, 1, tzinfo=UTC)
ANSWER = Answer(400, "InvalidParameter", f"your prompt {PROMPT!r} and key {KEY}")


def failure() -> Exception:
    """An exception whose own message, cause and notes quote the payload."""
    try:
        read()
    except ValueError as error:
        return error
    raise AssertionError


def read() -> None:
    try:
        look_up()
    except KeyError as error:
        error.add_note(PROMPT)
        raise ValueError(f"cannot read {PROMPT}, key {KEY}") from error


def look_up() -> None:
    raise KeyError(PROMPT)


TIER = RetryTier("10s", timedelta(seconds=10))
HISTORY = History(AT, attempts=3, postponed=1, not_before=AT, doubt=True, replay=PROMPT)
OUTCOMES: tuple[Outcome, ...] = (
    Submitted(record("task-1", "wan2.2-t2v-plus", 1)),
    Repeated(SubmittedRecord("task-1", "wan2.2-t2v-plus", 1, AT)),
    Malformed(f"not JSON: {PROMPT}"),
    Invalid((FieldProblem(field="size", message=PROMPT), FieldProblem(field=PROMPT, message="unknown field"))),
    Expired(AT, 1),
    Rejected(ANSWER, 1),
    RateLimited(ANSWER, 2),
    Unavailable(ANSWER, 3),
    BlockedOut(ANSWER, 4),
    InDoubt(ANSWER, 5),
    InDoubt(ANSWER, 5, later_failed=True),
    Defect(called=True),
    Interrupted(0),
    Withdrawn(HISTORY),
    Postponed(TIER, HISTORY),
)
RESULTS: tuple[CallResult, ...] = (
    Accepted("task-1"),
    NotSent(NotSentReason.DNS, ANSWER),
    RefusedForNow(ANSWER, throttled=True),
    RefusedForGood(ANSWER),
    Blocked(ANSWER),
    Uncertain(UncertainReason.TIMEOUT, ANSWER),
)
EVERY_FACT: tuple[Fact, ...] = (
    Received(redelivered=False, at=AT, queue_wait=1.0),
    Received(redelivered=True, at=AT, queue_wait=None),
    *(CallEnded("request-1", result, 1.0, 1) for result in RESULTS),
    *(RetryPlanned("request-1", reason, 0.5, 1) for reason in RetryReason),
    *(Settled("request-1", "correlation-1", outcome, 2.0, redelivered=False) for outcome in OUTCOMES),
    *(CallPrevented("request-1", in_doubt=in_doubt) for in_doubt in (False, True)),
    Joined("request-1", redelivered=True),
    *(SettlementAbandoned("request-1", outcome) for outcome in (*OUTCOMES, None)),
    *(SettlementAbandoned("request-1", outcome, rescued=True) for outcome in OUTCOMES),
    DefectFound("request-1", failure()),
    *(Published(attempt, 0.1, is_result=True) for attempt in PublishAttempt),
    *(LinkUp(role, first) for role in LinkRole for first in (True, False)),
    *(LinkDown(role, f"refused for {PASSWORD} and {KEY}", 1.0) for role in LinkRole),
    ConsumerActive(active=True),
    BrokerBlocked(blocked=True),
    BrokerBlocked(blocked=False),
    QueueRefuses("videogen.dead", refuses=True),
    QueueRefuses("videogen.dead", refuses=False),
    ConsumerActive(active=False),
    *(ConsumptionPaused(reason, paused=True, why=f"refused for {PASSWORD} and {KEY}") for reason in PauseReason),
    *(ConsumptionPaused(reason, paused=False) for reason in PauseReason),
    PaceChanged(12.34, 7),
    PaceChanged(None, 64),
    Probing("request-1", 10.0),
    RecordMissing("request-1", "task-1"),
    RecordMissing("request-1", None),
    KeyChanged(),
    Advice(f"the password {PASSWORD} and the key {KEY} are weak: choose others"),
    DrainStarted(3),
    LoopLag(0.0),
    LoopLag(2.0),
    *(TaskPolled("request-1", "task-1", result, 0.1) for result in QueryClass),
    *(
        TaskCompleted("request-1", "task-1", status, parked=parked)
        for status in CompletionStatus
        for parked in (False, True)
    ),
    TasksPending(3),
    *(QueriesHeld(reason, 5.0) for reason in HeldOffReason),
)
