import json
from datetime import UTC, datetime, timedelta

import pytest

from service.core.delivery import Delivery
from service.core.parked import Parked, Selection, parked_request, parked_result

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
HOUR_AGO = "2026-01-01T11:00:00Z"


def dead_copy(**headers: object) -> Delivery:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Delivery(b"{}", message_id="copy", headers={"x-error-code": "rejected", "x-request-id": "mine", **named})


def moved(reason: object, **more: object) -> Delivery:
    death = {"queue": "videogen.requests", "reason": reason, "count": 1}
    return Delivery(b"{}", message_id="mine", reply_to="replies", headers={"x-death": [{**death, **more}]})


def result(**fields: object) -> Delivery:
    return Delivery(
        json.dumps(fields).encode(),
        message_id="copy",
        correlation_id="theirs",
        timestamp=NOW - timedelta(minutes=5),
        headers={"x-original-reply-to": "gone"},
    )


def parked(code: str = "rejected", request_id: str = "mine", age: timedelta = timedelta(hours=1)) -> Parked:
    seen = (NOW - age).isoformat()
    delivery = dead_copy(x_error_code=code, x_request_id=request_id, x_first_seen=seen)
    return parked_request(delivery, NOW)


def test_a_dead_copy_tells_the_error_and_the_request() -> None:
    seen = parked_request(
        dead_copy(x_error_message="no", x_attempts=3, x_first_seen=HOUR_AGO, x_reply_to="replies"), NOW
    )
    assert seen == Parked(
        id="mine",
        key="copy",
        code="rejected",
        by_broker=False,
        since=NOW - timedelta(hours=1),
        attempts=3,
        message="no",
        task_id=None,
        reply_to="replies",
    )


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("delivery_limit", "poison"),
        (b"delivery_limit", "poison"),
        ("expired", "expired_in_queue"),
        ("rejected", "dropped_by_consumer"),
        ("maxlen", "overflow"),
        ("something new", "unexplained"),
        (7, "unexplained"),
    ],
)
def test_what_the_broker_moved_is_named_by_the_reason(reason: object, code: str) -> None:
    seen = parked_request(moved(reason), NOW)
    assert (seen.code, seen.by_broker) == (code, True)


def test_what_the_broker_moved_keeps_its_own_ids() -> None:
    seen = parked_request(moved("delivery_limit"), NOW)
    assert (seen.id, seen.reply_to, seen.attempts) == ("mine", "replies", None)


def test_what_the_broker_moved_is_as_old_as_the_move() -> None:
    seen = parked_request(moved("delivery_limit", time=NOW - timedelta(minutes=2)), NOW)
    assert seen.since == NOW - timedelta(minutes=2)


def test_the_last_move_counts_and_not_the_first() -> None:
    headers = {
        "x-death": [{"reason": "delivery_limit"}, {"reason": "expired"}],
        "x-first-death-reason": "expired",
    }
    assert parked_request(Delivery(b"", headers=headers), NOW).code == "poison"


@pytest.mark.parametrize("name", ["x-first-death-reason", "x-last-death-reason"])
def test_the_short_form_of_the_reason_is_enough(name: str) -> None:
    assert parked_request(Delivery(b"", headers={name: "delivery_limit"}), NOW).code == "poison"


@pytest.mark.parametrize("deaths", [None, [], "text", ["text"], [[]]])
def test_odd_traces_of_a_move_are_unexplained(deaths: object) -> None:
    assert parked_request(Delivery(b"", headers={"x-death": deaths}), NOW).code == "unexplained"


def test_an_own_error_outweighs_an_old_move() -> None:
    assert parked_request(dead_copy(x_death=[{"reason": "expired"}]), NOW).code == "rejected"


def test_a_message_without_id_is_named_by_its_body() -> None:
    one, same, other = (parked_request(Delivery(body), NOW).id for body in (b"a", b"a", b"b"))
    assert one == same != other
    assert one.startswith("sha256:")


def test_a_message_without_any_date_counts_from_now() -> None:
    assert parked_request(Delivery(b""), NOW).since == NOW


def test_a_task_id_is_seen() -> None:
    assert parked_request(dead_copy(x_task_id="task-1"), NOW).task_id == "task-1"


def test_header_bytes_that_are_no_text_become_visible() -> None:
    assert parked_request(dead_copy(x_error_message=b"a\xff"), NOW).message == "a\\xff"


def test_a_result_with_a_task_tells_it_and_the_queue_that_is_gone() -> None:
    seen = parked_result(result(request_id="mine", status="submitted", task_id="task-1", attempts=2), NOW)
    assert seen == Parked(
        id="mine",
        key="copy",
        code="submitted",
        by_broker=False,
        since=NOW - timedelta(minutes=5),
        attempts=2,
        message="",
        task_id="task-1",
        reply_to="gone",
    )


def test_a_failed_result_tells_its_error() -> None:
    seen = parked_result(result(request_id="mine", error={"code": "expired", "message": "late"}), NOW)
    assert (seen.code, seen.message, seen.task_id) == ("expired", "late", None)


@pytest.mark.parametrize("body", [b"\xff", b"[]", b"", b'{"error": 1, "task_id": 2, "attempts": "x"}', b"[" * 100_000])
def test_an_odd_result_is_still_shown(body: bytes) -> None:
    seen = parked_result(Delivery(body, correlation_id="theirs"), NOW)
    assert (seen.id, seen.code, seen.attempts, seen.since) == ("theirs", "unexplained", None, NOW)


@pytest.mark.parametrize(
    ("selection", "taken"),
    [
        (Selection(), True),
        (Selection(codes=frozenset({"rejected", "expired"})), True),
        (Selection(codes=frozenset({"expired"})), False),
        (Selection(request_ids=frozenset({"mine"})), True),
        (Selection(request_ids=frozenset({"other"})), False),
        (Selection(older_than=timedelta(hours=1)), True),
        (Selection(older_than=timedelta(hours=1, seconds=1)), False),
        (Selection(newer_than=timedelta(hours=1, seconds=1)), True),
        (Selection(newer_than=timedelta(hours=1)), False),
        (Selection(codes=frozenset({"rejected"}), older_than=timedelta(hours=2)), False),
    ],
)
def test_a_selection_takes_what_passes_every_filter(selection: Selection, *, taken: bool) -> None:
    assert selection.takes(parked(), NOW) is taken


@pytest.mark.parametrize(
    "selection",
    [
        Selection(codes=frozenset({"a"})),
        Selection(request_ids=frozenset({"a"})),
        Selection(older_than=timedelta(0)),
        Selection(newer_than=timedelta(1)),
    ],
)
def test_any_filter_makes_it_less_than_everything(selection: Selection) -> None:
    assert Selection().is_everything
    assert not selection.is_everything


@pytest.mark.parametrize(
    ("status", "reason", "message"),
    [("succeeded", None, ""), ("failed", "no good", "no good"), ("lost", "gone", "gone")],
)
def test_a_completion_is_named_by_its_status(status: str, reason: str | None, message: str) -> None:
    body = {"request_id": "mine", "status": status, "task_id": "task-1", **({"reason": reason} if reason else {})}
    seen = parked_result(Delivery(json.dumps(body).encode(), type="videogen.completion.v1"), NOW)

    assert (seen.id, seen.code, seen.message, seen.task_id) == ("mine", status, message, "task-1")
