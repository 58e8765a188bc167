"""Outcome → settlement: what is replied, what is kept for the operator, and what becomes of the message.

`settle` is total: mypy proves that no outcome is missing. `settling` carries the settlement out.
"""

from datetime import datetime

from service.core.call import Answer
from service.core.contract import FieldProblem
from service.core.history import History
from service.core.instant import rfc3339
from service.core.outcome import (
    BlockedOut,
    Defect,
    Expired,
    Failure,
    Handled,
    InDoubt,
    Interrupted,
    Invalid,
    Malformed,
    Postponed,
    RateLimited,
    Rejected,
    Repeated,
    Submitted,
    Unavailable,
    Withdrawn,
)
from service.core.result import Charged, ErrorCode, FailedResult, ResultError, SubmittedResult
from service.core.topology import RetryTier
from service.core.value_class import value_class

_MANY_FIELDS = 3


@value_class
class ReplyThenAck:
    """Publish the result, then ack the message."""

    result: SubmittedResult


@value_class
class ReplyDeadLetterThenAck:
    """Publish the result, keep a copy of the request in the dead-letter queue, then ack the message."""

    result: FailedResult


@value_class
class HandBack:
    """Publish nothing and give the message back to its queue: another worker, or a later run, takes it."""


@value_class
class MoveThenAck:
    """Publish the message anew, with its history, to the wait queue of `tier` or at the end of its own queue; then ack.

    Unlike handing back, this does not count towards the delivery limit.
    """

    tier: RetryTier | None
    history: History


Settlement = ReplyThenAck | ReplyDeadLetterThenAck | HandBack | MoveThenAck


def settle(handled: Handled, request_id: str, now: datetime) -> Settlement:
    """Decide what becomes of a request: its reply and its message."""
    match handled.outcome:
        case Submitted(record=record) | Repeated(earlier=record):
            # From the record alone: a copy gets the very same result.
            submitted = SubmittedResult(
                request_id=request_id,
                task_id=record.task_id,
                model=record.model,
                attempts=record.attempts,
                submitted_at=_stamp(record.at),
                warnings=handled.warnings,
            )
            return ReplyThenAck(submitted)
        case Interrupted():
            return HandBack()
        case Withdrawn(history=history):
            return MoveThenAck(None, history)
        case Postponed(tier=tier, history=history):
            return MoveThenAck(tier, history)
        case failure:
            failed = FailedResult(
                request_id=request_id,
                attempts=_attempts_of(failure),
                failed_at=_stamp(now),
                warnings=handled.warnings,
                error=_error_of(failure),
            )
            return ReplyDeadLetterThenAck(failed)


def _stamp(moment: datetime) -> datetime:
    # Producers parse these stamps; whole seconds keep one form for all of them.
    return moment.replace(microsecond=0)


def _attempts_of(failure: Failure) -> int:
    """Tell how many calls were made before the failure."""
    match failure:
        case Malformed() | Invalid():
            return 0
        case Defect(called=called, earlier=earlier):
            return earlier + int(called)
        case _:
            return failure.attempts


def _error_of(failure: Failure) -> ResultError:
    match failure:
        case Malformed(message=message):
            return _error(ErrorCode.MALFORMED_MESSAGE, message)
        case Invalid(problems=problems):
            return _error(ErrorCode.INVALID_REQUEST, _invalid_message(problems), details=problems)
        case Expired(deadline=deadline):
            message = (
                f"The deadline {rfc3339(deadline)} passed before the endpoint accepted a call. "
                "Send the request again with a later deadline."
            )
            return _error(ErrorCode.EXPIRED, message, retryable=True)
        case Rejected(answer=answer):
            message = f"The endpoint refused this request for good{_said(answer)}. Change it before you send it again."
            return _error(ErrorCode.REJECTED, message, answer=answer)
        case RateLimited(answer=answer):
            message = f"The endpoint still refused for its rate limit{_said(answer)}. Send the request again later."
            return _error(ErrorCode.RATE_LIMITED, message, retryable=True, answer=answer)
        case Unavailable(answer=answer):
            message = f"The endpoint was not available{_said(answer)}. Send the request again later."
            return _error(ErrorCode.UNAVAILABLE, message, retryable=True, answer=answer)
        case BlockedOut(answer=answer):
            message = (
                f"The endpoint refuses this account{_said(answer)}. "
                "Ask the operator to check key, permissions and balance, then send the request again."
            )
            return _error(ErrorCode.BLOCKED, message, retryable=True, answer=answer)
        case InDoubt(answer=answer, later_failed=later_failed):
            if later_failed:
                what = (
                    f"An earlier call may have been accepted, its answer is unknown; a later one failed{_said(answer)}."
                )
            else:
                what = (
                    f"The call may have been accepted, but its answer is unknown{_said(answer)}. It was not sent again."
                )
            message = (
                f"{what} Look for the video at the provider before you send the request again, "
                "under a new message_id: a second call is charged again."
            )
            return _error(ErrorCode.UNCERTAIN, message, charged=Charged.UNKNOWN, answer=answer)
        case Defect(called=called):
            message = "The worker failed on this request. Ask the operator to look for its request_id in the log."
            return _error(ErrorCode.INTERNAL, message, charged=Charged.UNKNOWN if called else Charged.NO)


def _error(
    code: ErrorCode,
    message: str,
    *,
    retryable: bool = False,
    charged: Charged = Charged.NO,
    details: tuple[FieldProblem, ...] = (),
    answer: Answer | None = None,
) -> ResultError:
    answer = answer or Answer()
    return ResultError(
        code=code,
        message=message,
        retryable=retryable,
        charged=charged,
        details=details,
        http_status=answer.http_status,
        upstream_code=answer.code or None,
        upstream_message=answer.message or None,
    )


def _invalid_message(problems: tuple[FieldProblem, ...]) -> str:
    named = "; ".join(f"{problem.field}: {problem.message}" for problem in problems[:_MANY_FIELDS])
    more = len(problems) - _MANY_FIELDS
    return f"{named}; and {more} more, see details" if more > 0 else named


def _said(answer: Answer) -> str:
    status = f"HTTP {answer.http_status}" if answer.http_status is not None else None
    code = answer.code or None
    head = ", ".join(part for part in (status, code) if part)
    text = ": ".join(part for part in (head, answer.message) if part)
    return f" ({text.rstrip('.')})" if text else ""
