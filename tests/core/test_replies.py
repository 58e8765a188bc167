import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from service.core.delivery import Delivery, Identity
from service.core.outgoing import Outgoing, Route
from service.core.replies import dead_message, reply_message, undelivered_message
from service.core.result import Charged, ErrorCode, FailedResult, Result, ResultError, SubmittedResult
from service.core.topology import Topology

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TOPOLOGY = Topology("videogen")
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
            "x-first-seen": "2025-12-31T00:00:00+00:00",
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
        ("2025-01-01T00:00:00+00:00", "2025-01-01T00:00:00+00:00"),
        (None, "2026-01-01T00:00:00Z"),
        (17, "2026-01-01T00:00:00Z"),
    ],
)
def test_the_first_sight_is_that_of_an_earlier_worker(header: object, seen: str) -> None:
    dead = dead_message(FAILED, Delivery(b"", headers={"x-first-seen": header}), IDENTITY, TOPOLOGY, NOW)

    assert dead.headers is not None
    assert dead.headers["x-first-seen"] == seen
