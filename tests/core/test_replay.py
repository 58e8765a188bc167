from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from service.core.delivery import Delivery, Identity
from service.core.outgoing import Outgoing, Route
from service.core.parked import parked_request, parked_result
from service.core.replay import Left, Terms, replay_of_request, replay_of_result
from service.core.replies import dead_message, undelivered_message
from service.core.result import Charged, ErrorCode, FailedResult, ResultError
from service.core.topology import Topology

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
PAST, FUTURE = "2026-01-01T11:00:00Z", "2026-01-01T13:00:00Z"
TOPOLOGY = Topology()
ORIGINAL = Delivery(
    b'{"prompt": "a cat"}',
    message_id="mine",
    correlation_id="theirs",
    reply_to="replies",
    content_type="application/json",
    content_encoding="utf-8",
    timestamp=NOW - timedelta(hours=2),
    headers={"traceparent": "kept", "tenant": 7},
)


def dead(code: str = "rejected", *, original: Delivery = ORIGINAL, **more: object) -> Delivery:
    """What stands in the queue after the worker wrote its copy of `original`."""
    error = ResultError(code=ErrorCode.REJECTED, message="no", retryable=False, charged=Charged.NO)
    result = FailedResult(request_id="mine", attempts=2, failed_at=NOW, error=error)
    identity = Identity("mine", original.correlation_id or "mine", made_up=False)
    copy = dead_message(result, original, identity, TOPOLOGY, NOW)
    named = {name.replace("_", "-"): value for name, value in more.items()}
    return read(copy, {**(copy.headers or {}), "x-error-code": code, **named})


def read(published: Outgoing, headers: Mapping[str, object]) -> Delivery:
    return Delivery(
        published.body,
        message_id="copy-1",
        correlation_id=published.correlation_id,
        content_type=published.content_type,
        content_encoding=published.content_encoding,
        timestamp=published.timestamp,
        headers=headers,
        type=published.type,
        app_id="videogen-worker",
    )


WHEN = {"x-replayed-at": NOW.isoformat()}


def replay(delivery: Delivery, *, force: bool = False, drop_deadline: bool = False) -> Outgoing | Left:
    parked = parked_request(delivery, NOW)
    return replay_of_request(delivery, parked, Terms(force, drop_deadline), TOPOLOGY, NOW, lambda: "new-id")


def replayed(delivery: Delivery, *, force: bool = False, drop_deadline: bool = False) -> Outgoing:
    message = replay(delivery, force=force, drop_deadline=drop_deadline)
    assert isinstance(message, Outgoing)
    return message


def test_a_replay_is_the_request_as_its_producer_sent_it() -> None:
    assert replayed(dead()) == Outgoing(
        route=Route("", "videogen.requests"),
        body=ORIGINAL.body,
        content_type="application/json",
        content_encoding="utf-8",
        correlation_id="theirs",
        timestamp=NOW - timedelta(hours=2),
        headers={"traceparent": "kept", "tenant": 7, **WHEN},
        message_id="mine",
        reply_to="replies",
    )


@pytest.mark.parametrize(
    "name",
    [
        *("x-attempts", "x-postponed", "x-first-seen", "x-not-before", "x-replay"),
        *("x-death", "x-first-death-queue", "x-first-death-reason", "x-last-death-exchange"),
        *("x-error-code", "x-error-message", "x-request-id", "x-reply-to", "x-headers-dropped", "CC", "BCC"),
    ],
)
def test_nothing_of_the_past_is_left_in_a_replay(name: str) -> None:
    delivery = dead()
    delivery = Delivery(b"", headers={**delivery.headers, name: "rejected"})
    assert name not in (replayed(delivery).headers or {})


def test_what_the_broker_moved_keeps_all_its_properties() -> None:
    original = Delivery(
        b"{}", message_id="mine", reply_to="replies", type="theirs", app_id="shop", priority=3, headers={"x-death": []}
    )
    message = replayed(original)
    assert (message.message_id, message.reply_to, message.type, message.app_id, message.priority, message.headers) == (
        *("mine", "replies", "theirs", "shop", 3, WHEN),
    )


def test_a_request_without_id_gets_none_from_its_body() -> None:
    assert replayed(Delivery(b"{}")).message_id is None


@pytest.mark.parametrize(
    "code", ["malformed_message", "invalid_request", "expired", "rejected", "rate_limited", "unavailable", "blocked"]
)
def test_what_was_surely_not_paid_needs_no_force(code: str) -> None:
    assert isinstance(replay(dead(code)), Outgoing)


@pytest.mark.parametrize(
    "delivery",
    [dead("uncertain"), dead("internal"), dead("a code of a later release"), dead("rejected", x_doubt=True)],
    ids=["uncertain", "internal", "unknown", "doubt"],
)
def test_what_may_have_been_paid_stays_without_force(delivery: Delivery) -> None:
    assert replay(delivery) is Left.MAYBE_PAID
    assert isinstance(replay(delivery, force=True), Outgoing)


def test_a_forced_replay_is_named_by_the_parked_copy() -> None:
    headers = replayed(dead("uncertain"), force=True).headers
    assert headers == {"traceparent": "kept", "tenant": 7, "x-replay": "copy-1", **WHEN}


def test_a_forced_replay_of_a_copy_without_id_gets_a_new_name() -> None:
    delivery = Delivery(b"{}", headers={"x-error-code": "uncertain"})
    assert replayed(delivery, force=True).headers == {"x-replay": "new-id", **WHEN}


def test_force_names_no_replay_where_nothing_was_paid() -> None:
    assert "x-replay" not in (replayed(dead("rejected"), force=True).headers or {})


def test_poison_is_one_more_redelivery_and_no_forced_replay() -> None:
    delivery = Delivery(b"{}", message_id="mine", headers={"x-death": [{"reason": "delivery_limit"}]})
    assert replayed(delivery, force=True).headers == WHEN


def test_what_has_a_task_id_is_never_replayed() -> None:
    assert replay(dead("internal", x_task_id="task-1"), force=True) is Left.PAID


def test_a_deadline_that_is_over_keeps_the_request_here() -> None:
    assert replay(dead("expired", x_deadline=PAST)) is Left.DEADLINE_OVER


def test_a_deadline_that_is_over_can_be_dropped() -> None:
    message = replayed(dead("expired", x_deadline=PAST), drop_deadline=True)
    assert "x-deadline" not in (message.headers or {})


def test_a_deadline_that_cannot_be_read_can_be_dropped() -> None:
    delivery = dead("invalid_request", x_deadline="soon")
    assert (replayed(delivery).headers or {})["x-deadline"] == "soon"
    assert "x-deadline" not in (replayed(delivery, drop_deadline=True).headers or {})


@pytest.mark.parametrize("drop_deadline", [False, True])
def test_a_deadline_ahead_is_kept(*, drop_deadline: bool) -> None:
    message = replayed(dead(x_deadline=FUTURE), drop_deadline=drop_deadline)
    assert (message.headers or {})["x-deadline"] == FUTURE


def test_a_request_without_reply_queue_gets_none() -> None:
    assert replayed(dead(original=Delivery(b"{}", message_id="mine"))).reply_to is None


def test_the_bare_name_of_direct_reply_is_not_published_again() -> None:
    assert replayed(dead(x_reply_to="amq.rabbitmq.reply-to")).reply_to is None


def undelivered(address: str) -> Delivery:
    reply = Outgoing(
        route=Route("", address),
        body=b'{"request_id": "mine", "task_id": "task-1"}',
        content_type="application/json",
        correlation_id="theirs",
        timestamp=NOW - timedelta(hours=1),
        type="videogen.result.v1",
        headers={"traceparent": "kept"},
    )
    parked = undelivered_message(reply, TOPOLOGY)
    return read(parked, parked.headers or {})


def resend(delivery: Delivery, to: str | None = None) -> Outgoing | Left:
    return replay_of_result(delivery, parked_result(delivery, NOW), to, TOPOLOGY, NOW)


def test_a_result_goes_again_to_the_queue_that_did_not_take_it() -> None:
    delivery = undelivered("replies")
    assert resend(delivery) == Outgoing(
        route=Route("", "replies"),
        body=delivery.body,
        content_type="application/json",
        correlation_id="theirs",
        timestamp=NOW,
        type="videogen.result.v1",
        headers={"traceparent": "kept"},
        app_id="videogen-worker",
    )


@pytest.mark.parametrize(
    "key",
    [
        *("result.submitted", "result.failed"),
        *("completion.succeeded", "completion.failed", "completion.lost"),
    ],
)
def test_a_result_without_reply_queue_goes_to_the_exchange_again(key: str) -> None:
    message = resend(undelivered(key))
    assert isinstance(message, Outgoing)
    assert message.route == Route("videogen", key)


def test_a_result_can_be_sent_to_another_queue() -> None:
    message = resend(undelivered("replies"), to="other")
    assert isinstance(message, Outgoing)
    assert message.route == Route("", "other")


def test_a_direct_reply_cannot_be_sent_again_without_a_queue() -> None:
    delivery = undelivered("amq.rabbitmq.reply-to.g1h2AA")
    assert resend(delivery) is Left.DIRECT_REPLY
    assert isinstance(resend(delivery, to="other"), Outgoing)


def test_a_result_that_names_no_queue_needs_one() -> None:
    assert resend(Delivery(b"{}")) is Left.NO_ADDRESS
