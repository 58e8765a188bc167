import json
from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest

from service.core.call import Answer
from service.core.contract import FieldProblem
from service.core.history import History
from service.core.ledger import SubmittedRecord
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
    Outcome,
    Postponed,
    RateLimited,
    Rejected,
    Repeated,
    Submitted,
    Unavailable,
    Withdrawn,
)
from service.core.settlement import HandBack, MoveThenAck, ReplyDeadLetterThenAck, ReplyThenAck, settle
from service.core.topology import RetryTier
from tests.support.records import record

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TIER = RetryTier("10s", timedelta(seconds=10))
HISTORY = History(NOW, attempts=4, postponed=1)

OPERATOR = "The worker failed on this request. Ask the operator to look for its request_id in the log."


def _error(
    code: str,
    message: str,
    *,
    retryable: bool = False,
    charged: str = "no",
    details: tuple[dict[str, str], ...] = (),
    upstream: tuple[int | None, str | None, str | None] = (None, None, None),
) -> dict[str, object]:
    """Write the whole error object of spec section 2."""
    return {
        "code": code,
        "message": message,
        "retryable": retryable,
        "charged": charged,
        "details": list(details),
        "http_status": upstream[0],
        "upstream_code": upstream[1],
        "upstream_message": upstream[2],
    }


# Outcome, attempts, error.
FAILURES: list[tuple[Failure, int, dict[str, object]]] = [
    (
        Malformed("The body is no JSON object. Send one."),
        0,
        _error("malformed_message", "The body is no JSON object. Send one."),
    ),
    (
        Invalid((FieldProblem(field="size", message="use 832*480"),)),
        0,
        _error(
            "invalid_request",
            "size: use 832*480",
            details=({"field": "size", "message": "use 832*480"},),
        ),
    ),
    (
        Expired(datetime(2025, 12, 31, 23, tzinfo=UTC), attempts=2),
        2,
        _error(
            "expired",
            "The deadline 2025-12-31T23:00:00Z passed before the endpoint accepted a call. "
            "Send the request again with a later deadline.",
            retryable=True,
        ),
    ),
    (
        Rejected(Answer(400, "DataInspectionFailed", "Not appropriate."), attempts=1),
        1,
        _error(
            "rejected",
            "The endpoint refused this request for good (HTTP 400, DataInspectionFailed: Not appropriate). "
            "Change it before you send it again.",
            upstream=(400, "DataInspectionFailed", "Not appropriate."),
        ),
    ),
    (
        RateLimited(Answer(429, "Throttling", "Too many requests."), attempts=4),
        4,
        _error(
            "rate_limited",
            "The endpoint still refused for its rate limit (HTTP 429, Throttling: Too many requests). "
            "Send the request again later.",
            retryable=True,
            upstream=(429, "Throttling", "Too many requests."),
        ),
    ),
    (
        Unavailable(Answer(message="connection refused"), attempts=4),
        4,
        _error(
            "unavailable",
            "The endpoint was not available (connection refused). Send the request again later.",
            retryable=True,
            upstream=(None, None, "connection refused"),
        ),
    ),
    (
        BlockedOut(Answer(401), attempts=1),
        1,
        _error(
            "blocked",
            "The endpoint refuses this account (HTTP 401). "
            "Ask the operator to check key, permissions and balance, then send the request again.",
            retryable=True,
            upstream=(401, None, None),
        ),
    ),
    (
        InDoubt(Answer(504, "", None), attempts=1),
        1,
        _error(
            "uncertain",
            "The call may have been accepted, but its answer is unknown (HTTP 504). "
            "It was not sent again. Look for the video at the provider before you send the request again, "
            "under a new message_id: "
            "a second call is charged again.",
            charged="unknown",
            upstream=(504, None, None),
        ),
    ),
    (
        InDoubt(Answer(400, "BadPrompt"), attempts=2, later_failed=True),
        2,
        _error(
            "uncertain",
            "An earlier call may have been accepted, its answer is unknown; a later one failed (HTTP 400, BadPrompt). "
            "Look for the video at the provider before you send the request again, under a new message_id: "
            "a second call is charged again.",
            charged="unknown",
            upstream=(400, "BadPrompt", None),
        ),
    ),
    (Defect(called=True), 1, _error("internal", OPERATOR, charged="unknown")),
    (Defect(called=False), 0, _error("internal", OPERATOR, charged="no")),
    (Defect(called=True, earlier=4), 5, _error("internal", OPERATOR, charged="unknown")),
]


def _failed_body(failure: Failure, warnings: tuple[str, ...] = ()) -> object:
    match settle(Handled(failure, warnings), "r-1", NOW):
        case ReplyDeadLetterThenAck(result):
            return json.loads(result.model_dump_json())
        case other:
            pytest.fail(f"a failure is replied to and buried, not {other}")


def test_a_submitted_request_is_replied_to_with_its_task_id() -> None:
    handled = Handled(Submitted(record("t-1", "wan2.2-t2v-plus", attempts=3)), ("prompt was cut",))

    settlement = settle(handled, "r-1", NOW)

    assert isinstance(settlement, ReplyThenAck)
    assert json.loads(settlement.result.model_dump_json()) == {
        "request_id": "r-1",
        "status": "submitted",
        "task_id": "t-1",
        "model": "wan2.2-t2v-plus",
        "attempts": 3,
        "submitted_at": "2026-01-01T00:00:00Z",
        "warnings": ["prompt was cut"],
    }


@pytest.mark.parametrize(("failure", "attempts", "error"), FAILURES, ids=lambda value: type(value).__name__)
def test_a_failure_is_replied_to_with_the_whole_error(
    failure: Failure, attempts: int, error: dict[str, object]
) -> None:
    assert _failed_body(failure, ("prompt was cut",)) == {
        "request_id": "r-1",
        "status": "failed",
        "attempts": attempts,
        "failed_at": "2026-01-01T00:00:00Z",
        "warnings": ["prompt was cut"],
        "error": error,
    }


def test_the_table_above_names_every_outcome() -> None:
    covered = {type(failure) for failure, _, _ in FAILURES} | {Submitted, Repeated, Interrupted, Withdrawn, Postponed}

    assert covered == set(get_args(Outcome))


@pytest.mark.parametrize(
    "failure",
    [
        Expired(NOW, attempts=0),
        Rejected(Answer(), attempts=1),
        RateLimited(Answer(), attempts=1),
        Unavailable(Answer(), attempts=1),
        BlockedOut(Answer(), attempts=1),
        InDoubt(Answer(), attempts=1),
        InDoubt(Answer(), attempts=2, later_failed=True),
        Defect(called=True),
    ],
    ids=lambda failure: type(failure).__name__,
)
def test_an_error_without_upstream_words_still_says_what_to_do(failure: Failure) -> None:
    settlement = settle(Handled(failure), "r-1", NOW)

    assert isinstance(settlement, ReplyDeadLetterThenAck)
    message = settlement.result.error.message
    assert any(verb in message for verb in (" Send ", " Change ", " Ask ", " Look "))
    assert "()" not in message
    assert "None" not in message


def test_a_long_list_of_wrong_fields_is_shortened_in_the_message_only() -> None:
    problems = tuple(FieldProblem(field=f"f{number}", message="is unknown") for number in range(5))

    settlement = settle(Handled(Invalid(problems)), "r-1", NOW)

    assert isinstance(settlement, ReplyDeadLetterThenAck)
    error = settlement.result.error
    assert error.message == "f0: is unknown; f1: is unknown; f2: is unknown; and 2 more, see details"
    assert error.details == problems


def test_interrupted_work_gives_no_reply_and_goes_back() -> None:
    assert settle(Handled(Interrupted(attempts=2)), "r-1", NOW) == HandBack()


def test_a_duplicate_is_answered_with_the_stored_task_id_model_attempts_and_time() -> None:
    earlier = SubmittedRecord("t-1", "wan2.2-t2v-plus", 3, NOW - timedelta(hours=1, microseconds=-5))

    settlement = settle(Handled(Repeated(earlier), ("prompt was cut",)), "r-1", NOW)

    assert isinstance(settlement, ReplyThenAck)
    assert json.loads(settlement.result.model_dump_json()) == {
        "request_id": "r-1",
        "status": "submitted",
        "task_id": "t-1",
        "model": "wan2.2-t2v-plus",
        "attempts": 3,
        "submitted_at": "2025-12-31T23:00:00Z",
        "warnings": ["prompt was cut"],
    }


@pytest.mark.parametrize("told_after", [timedelta(), timedelta(milliseconds=999), timedelta(minutes=3)], ids=str)
def test_a_copy_gets_the_very_result_of_the_first_however_late_each_is_told(told_after: timedelta) -> None:
    accepted = record()

    first = settle(Handled(Submitted(accepted)), "r-1", accepted.at + told_after)

    assert first == settle(Handled(Repeated(accepted)), "r-1", NOW + timedelta(days=1))


def test_a_withdrawn_request_moves_to_the_end_of_its_own_queue() -> None:
    assert settle(Handled(Withdrawn(HISTORY)), "r-1", NOW) == MoveThenAck(None, HISTORY)


def test_a_postponed_request_moves_to_its_wait_queue() -> None:
    assert settle(Handled(Postponed(TIER, HISTORY)), "r-1", NOW) == MoveThenAck(TIER, HISTORY)
