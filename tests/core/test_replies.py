import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from service.core.call import Answer
from service.core.completion import Completion, FailedCompletion, LostCompletion, SucceededCompletion
from service.core.deadline import deadline_of
from service.core.delivery import Delivery, Identity
from service.core.history import History
from service.core.outcome import Outcome, Rejected, Submitted
from service.core.outgoing import Outgoing, Route
from service.core.pending_task import PendingTask
from service.core.replies import (
    completion_message,
    dead_message,
    defect_message,
    moved_message,
    reply_message,
    undelivered_message,
)
from service.core.result import Charged, ErrorCode, FailedResult, Result, ResultError, SubmittedResult
from service.core.topology import RetryTier, Topology
from tests.support.records import record

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TIER = RetryTier("10s", timedelta(seconds=10))
TOPOLOGY = Topology("videogen", (TIER,))
HISTORY = History(NOW, attempts=4, postponed=1)
# What a worker writes into a dead copy, written by a producer.
FORGED: dict[str, object] = {
    "x-task-id": "forged",
    "x-reply-to": "forged",
    "x-error-code": "forged",
    "x-error-message": "forged",
    "x-request-id": "forged",
}
ON_THE_WAY = {
    "x-death": [{"queue": "videogen.retry.10s"}],
    "x-first-death-queue": "videogen.retry.10s",
    "x-last-death-reason": "expired",
    "CC": ["audit"],
    "BCC": ["audit"],
    "x-attempts": 3,
    "x-postponed": 9,
    "x-not-before": "2026-01-01T00:00:00Z",
    "x-doubt": True,
    "x-replay": "copy-1",
    "x-made-up-id": True,
}
IDENTITY = Identity("r-1", "c-1", made_up=False)
TRACE = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "tracestate": "vendor=1"}
SUBMITTED = SubmittedResult(request_id="r-1", task_id="t-1", model="m", attempts=1, submitted_at=NOW)
FAILED = FailedResult(
    request_id="r-1",
    attempts=2,
    failed_at=NOW,
    error=ResultError(
        code=ErrorCode.REJECTED, message="Change it.", retryable=False, charged=Charged.NO, http_status=400
    ),
)


def _reply(result: Result, delivery: Delivery) -> Outgoing:
    return reply_message(result, delivery, IDENTITY, TOPOLOGY, NOW)


@pytest.mark.parametrize(
    ("result", "reply_to", "route"),
    [
        (SUBMITTED, "answers", Route("", "answers")),
        (FAILED, "answers", Route("", "answers")),
        (SUBMITTED, None, Route("videogen", "result.submitted")),
        (FAILED, None, Route("videogen", "result.failed")),
    ],
)
def test_a_result_goes_to_its_producer_or_to_the_results_exchange(
    result: Result, reply_to: str | None, route: Route
) -> None:
    assert _reply(result, Delivery(b"", reply_to=reply_to)).route == route


def test_a_reply_has_the_properties_of_the_contract() -> None:
    reply = _reply(SUBMITTED, Delivery(b"", headers={**TRACE, "private": "stays"}))

    assert reply == Outgoing(
        route=Route("videogen", "result.submitted"),
        body=reply.body,
        content_type="application/json",
        correlation_id="c-1",
        timestamp=NOW,
        type="videogen.result.v1",
        content_encoding=None,
        headers=TRACE,
    )
    assert SubmittedResult.model_validate_json(reply.body) == SUBMITTED


TASK = PendingTask("t-1", "r-1", "m", NOW, "c-1", None, TRACE)
SUCCEEDED = SucceededCompletion(
    request_id="r-1", task_id="t-1", model="m", submitted_at=NOW, completed_at=NOW, urls=("https://a/ä",)
)
NOT_DONE = (
    FailedCompletion(request_id="r-1", task_id="t-1", model="m", submitted_at=NOW, completed_at=NOW, reason="no"),
    LostCompletion(request_id="r-1", task_id="t-1", model="m", submitted_at=NOW, completed_at=NOW, reason="gone"),
)


@pytest.mark.parametrize(
    ("completion", "key"),
    [
        (SUCCEEDED, "completion.succeeded"),
        (NOT_DONE[0], "completion.failed"),
        (NOT_DONE[1], "completion.lost"),
    ],
)
def test_a_completion_goes_to_its_producer_or_to_the_exchange(completion: Completion, key: str) -> None:
    asked = replace(TASK, reply_to="answers")

    assert completion_message(completion, TASK, TOPOLOGY, NOW).route == Route("videogen", key)
    assert completion_message(completion, asked, TOPOLOGY, NOW).route == Route("", "answers")


def test_a_completion_has_the_properties_of_the_contract() -> None:
    message = completion_message(SUCCEEDED, TASK, TOPOLOGY, NOW)

    assert message == Outgoing(
        route=Route("videogen", "completion.succeeded"),
        body=message.body,
        content_type="application/json",
        correlation_id="c-1",
        timestamp=NOW,
        type="videogen.completion.v1",
        headers=TRACE,
    )
    assert SucceededCompletion.model_validate_json(message.body) == SUCCEEDED


def test_a_reply_keeps_characters_beyond_ascii() -> None:
    reply = _reply(SUBMITTED.model_copy(update={"warnings": ("das Wort „Möwe“ 🐦",)}), Delivery(b""))

    assert json.loads(reply.body.decode("utf-8"))["warnings"] == ["das Wort „Möwe“ 🐦"]


def test_a_returned_reply_keeps_everything_and_names_its_address() -> None:
    reply = _reply(SUBMITTED, Delivery(b"", reply_to="gone", headers=TRACE))

    parked = undelivered_message(reply, TOPOLOGY)

    assert parked == replace(
        reply,
        route=Route("", "videogen.undelivered"),
        headers={**TRACE, "x-original-reply-to": "gone"},
    )


def test_a_dead_copy_is_the_request_with_its_error() -> None:
    delivery = Delivery(
        b"\xff not text",
        message_id="r-1",
        correlation_id="c-1",
        reply_to="answers",
        content_type="application/json",
        content_encoding="gzip",
        timestamp=datetime(2025, 12, 31, tzinfo=UTC),
        headers={"mine": [1, None], "x-first-seen": "2025-12-31T00:00:00+00:00"},
    )

    assert dead_message(FAILED, delivery, IDENTITY, TOPOLOGY, NOW) == Outgoing(
        route=Route("", "videogen.dead"),
        body=b"\xff not text",
        content_type="application/json",
        correlation_id="c-1",
        timestamp=datetime(2025, 12, 31, tzinfo=UTC),
        content_encoding="gzip",
        headers={
            "mine": [1, None],
            "x-error-code": "rejected",
            "x-error-message": "Change it.",
            "x-attempts": 2,
            "x-first-seen": "2025-12-31T00:00:00Z",
            "x-request-id": "r-1",
            "x-reply-to": "answers",
        },
    )


def test_a_dead_copy_of_a_bare_message_gets_the_present_time() -> None:
    dead = dead_message(FAILED, Delivery(b""), IDENTITY, TOPOLOGY, NOW)

    assert dead.timestamp == NOW
    assert dead.correlation_id is None
    assert dead.headers is not None
    assert "x-reply-to" not in dead.headers


def test_a_long_error_is_cut_in_the_header() -> None:
    error = FAILED.error.model_copy(update={"message": "x" * 5000})

    dead = dead_message(FAILED.model_copy(update={"error": error}), Delivery(b""), IDENTITY, TOPOLOGY, NOW)

    assert dead.headers is not None
    assert dead.headers["x-error-message"] == "x" * 1000


@pytest.mark.parametrize(
    ("header", "seen"),
    [
        ("2025-01-01T00:00:00+00:00", "2025-01-01T00:00:00Z"),
        (None, "2026-01-01T00:00:00Z"),
        (17, "2026-01-01T00:00:00Z"),
        ("0001-01-01T00:00:00+05:00", "2026-01-01T00:00:00Z"),
    ],
)
def test_the_first_sight_is_that_of_an_earlier_worker(header: object, seen: str) -> None:
    dead = dead_message(FAILED, Delivery(b"", headers={"x-first-seen": header}), IDENTITY, TOPOLOGY, NOW)

    assert dead.headers is not None
    assert dead.headers["x-first-seen"] == seen


@pytest.mark.parametrize(("tier", "queue"), [(TIER, "videogen.retry.10s"), (None, "videogen.requests")])
def test_a_request_that_moves_stays_as_it_was_but_for_its_history(tier: RetryTier | None, queue: str) -> None:
    delivery = Delivery(
        b"\xff not text",
        message_id="r-1",
        correlation_id="c-1",
        reply_to="answers",
        content_type="application/json",
        content_encoding="gzip",
        timestamp=NOW,
        headers={"mine": [1, None], **TRACE},
        type="order",
        app_id="shop",
        priority=3,
        redelivered=True,
        delivery_count=7,
    )

    assert moved_message(delivery, IDENTITY, tier, HISTORY, TOPOLOGY, NOW, "m-1") == Outgoing(
        route=Route("", queue),
        body=b"\xff not text",
        content_type="application/json",
        correlation_id="c-1",
        timestamp=NOW,
        type="order",
        content_encoding="gzip",
        headers={
            "mine": [1, None],
            **TRACE,
            "x-attempts": 4,
            "x-postponed": 1,
            "x-first-seen": "2026-01-01T00:00:00Z",
            "x-move": "m-1",
        },
        message_id="r-1",
        reply_to="answers",
        app_id="shop",
        priority=3,
    )


def test_what_others_wrote_on_the_way_does_not_lead_a_moved_request_astray() -> None:
    moved = moved_message(
        Delivery(b"", headers={**ON_THE_WAY, "mine": 1}), IDENTITY, TIER, HISTORY, TOPOLOGY, NOW, "m-1"
    )

    assert moved.headers == {
        "mine": 1,
        "x-attempts": 4,
        "x-postponed": 1,
        "x-first-seen": "2026-01-01T00:00:00Z",
        "x-move": "m-1",
    }


def test_nor_a_dead_copy() -> None:
    dead = dead_message(FAILED, Delivery(b"", headers=ON_THE_WAY), IDENTITY, TOPOLOGY, NOW)

    assert dead.headers is not None
    assert set(dead.headers) == {"x-error-code", "x-error-message", "x-attempts", "x-first-seen", "x-request-id"}


def test_an_expiration_travels_as_a_deadline_because_the_broker_would_act_on_it() -> None:
    delivery = Delivery(b"", timestamp=NOW, expiration=timedelta(seconds=90.5))

    moved = moved_message(delivery, IDENTITY, TIER, HISTORY, TOPOLOGY, NOW + timedelta(hours=1), "m-1")

    assert moved.headers is not None
    assert moved.headers["x-deadline"] == "2026-01-01T00:01:30.500000+00:00"
    assert deadline_of(Delivery(b"", headers=moved.headers)) == NOW + timedelta(seconds=90.5)


@pytest.mark.parametrize("deadline", ["2026-01-01T00:01:30+00:00", "tomorrow"])
def test_a_deadline_in_the_header_travels_on_also_one_that_cannot_be_read(deadline: str) -> None:
    moved = moved_message(
        Delivery(b"", headers={"x-deadline": deadline}), IDENTITY, TIER, HISTORY, TOPOLOGY, NOW, "m-1"
    )

    assert moved.headers is not None
    assert moved.headers["x-deadline"] == deadline


def test_a_message_without_an_id_moves_under_the_one_that_was_made_up_and_says_so() -> None:
    moved = moved_message(Delivery(b""), Identity("new", "new", made_up=True), TIER, HISTORY, TOPOLOGY, NOW, "m-1")

    assert moved.headers is not None
    assert (moved.message_id, moved.headers["x-made-up-id"]) == ("new", True)


@pytest.mark.parametrize("reply_to", [None, "answers"])
def test_nothing_that_a_producer_forged_survives_in_a_dead_copy(reply_to: str | None) -> None:
    delivery = Delivery(b"", reply_to=reply_to, headers={**FORGED, "mine": 1})

    dead = dead_message(FAILED, delivery, IDENTITY, TOPOLOGY, NOW)

    assert dead.headers == {
        "mine": 1,
        "x-error-code": "rejected",
        "x-error-message": "Change it.",
        "x-request-id": "r-1",
        "x-attempts": 2,
        "x-first-seen": "2026-01-01T00:00:00Z",
        **({"x-reply-to": reply_to} if reply_to else {}),
    }


@pytest.mark.parametrize(
    ("outcome", "task"), [(Submitted(record("t-1", "m", 1)), {"x-task-id": "t-1"}), (Rejected(Answer(400), 1), {})]
)
def test_a_copy_after_a_defect_names_the_task_that_was_paid_for_and_no_forged_one(
    outcome: Outcome, task: dict[str, str]
) -> None:
    kept = defect_message(outcome, Delivery(b"body", headers=FORGED), IDENTITY, TOPOLOGY, NOW)

    assert kept.headers == {
        "x-error-code": "internal",
        "x-error-message": "The worker failed to settle this request. Look for its request_id in the log.",
        "x-first-seen": "2026-01-01T00:00:00Z",
        "x-request-id": "r-1",
        **task,
    }


def test_an_expiration_without_a_timestamp_counts_from_now_on() -> None:
    moved = moved_message(Delivery(b"", expiration=timedelta(minutes=5)), IDENTITY, TIER, HISTORY, TOPOLOGY, NOW, "m-1")

    assert moved.headers is not None
    assert deadline_of(Delivery(b"", headers=moved.headers)) == NOW + timedelta(minutes=5)
    assert moved.timestamp is None


@pytest.mark.parametrize("deadline", ["2026-01-01T00:01:30+00:00", "tomorrow"])
def test_a_deadline_in_the_header_outweighs_an_expiration_without_a_timestamp(deadline: str) -> None:
    delivery = Delivery(b"", expiration=timedelta(minutes=5), headers={"x-deadline": deadline})

    moved = moved_message(delivery, IDENTITY, TIER, HISTORY, TOPOLOGY, NOW, "m-1")

    assert moved.headers is not None
    assert moved.headers["x-deadline"] == deadline
