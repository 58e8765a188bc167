"""One example or more of every fact, and of every outcome and call result inside, full of sentinels."""

from datetime import UTC, datetime

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
from service.core.contract import FieldProblem
from service.core.facts import (
    BrokerBlocked,
    CallEnded,
    ConsumerActive,
    DefectFound,
    DrainStarted,
    Fact,
    Joined,
    LinkDown,
    LinkRole,
    LinkUp,
    LoopLag,
    PublishAttempt,
    Published,
    Received,
    RetryPlanned,
    RetryReason,
    Settled,
    SettlementAbandoned,
)
from service.core.outcome import (
    BlockedOut,
    Defect,
    Expired,
    InDoubt,
    Interrupted,
    Invalid,
    Malformed,
    Outcome,
    RateLimited,
    Rejected,
    Submitted,
    Unavailable,
)

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


OUTCOMES: tuple[Outcome, ...] = (
    Submitted("task-1", "wan2.2-t2v-plus", 1),
    Malformed(f"not JSON: {PROMPT}"),
    Invalid((FieldProblem(field="size", message=PROMPT), FieldProblem(field=PROMPT, message="unknown field"))),
    Expired(AT, 1),
    Rejected(ANSWER, 1),
    RateLimited(ANSWER, 2),
    Unavailable(ANSWER, 3),
    BlockedOut(ANSWER, 4),
    InDoubt(ANSWER, 5),
    Defect(called=True),
    Interrupted(0),
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
    Joined("request-1", redelivered=True),
    *(SettlementAbandoned("request-1", outcome) for outcome in (*OUTCOMES, None)),
    DefectFound("request-1", failure()),
    *(Published(attempt, 0.1, is_result=True) for attempt in PublishAttempt),
    *(LinkUp(role, first) for role in LinkRole for first in (True, False)),
    *(LinkDown(role, f"refused for {PASSWORD} and {KEY}", 1.0) for role in LinkRole),
    ConsumerActive(active=True),
    BrokerBlocked(blocked=True),
    BrokerBlocked(blocked=False),
    ConsumerActive(active=False),
    DrainStarted(3),
    LoopLag(0.0),
    LoopLag(2.0),
)
