import json
from datetime import UTC, datetime

import pytest

from service.simulator.answer import BIG_BODY_BYTES, build_answer
from service.simulator.reaction import Content, DateIn, Reaction, Shape

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def _body(reaction: Reaction, task_id: str | None = "task-1") -> object:
    return json.loads(build_answer(reaction, task_id, NOW).body)


def test_an_accepted_request_is_told_its_task_id() -> None:
    answer = build_answer(Reaction(), "task-1", NOW)
    assert (answer.status, answer.content_type, answer.headers) == (200, "application/json", {})
    assert json.loads(answer.body) == {"task_id": "task-1"}


def test_the_task_id_can_stand_deeper() -> None:
    assert _body(Reaction(task_id_under="output")) == {"output": {"task_id": "task-1"}}


def test_the_task_id_can_be_missing() -> None:
    body = _body(Reaction(content=Content.NO_TASK_ID))
    assert isinstance(body, dict)
    assert body.keys() == {"request_id"}


def test_the_nested_error_shape() -> None:
    assert _body(Reaction(429, "limit_requests", "slow down")) == {
        "error": {"message": "slow down", "type": "upstream_error", "code": "limit_requests"}
    }


def test_the_flat_error_shape() -> None:
    assert _body(Reaction(500, "X", "y", Shape.FLAT)) == {"code": "X", "message": "y", "data": None}


def test_the_vendors_error_shape() -> None:
    body = _body(Reaction(400, "X", "y", Shape.VENDOR))
    assert isinstance(body, dict)
    assert body.pop("request_id")
    assert body == {"code": "X", "message": "y"}


def test_the_vendors_error_inside_the_gateways() -> None:
    body = _body(Reaction(400, "X", "y", Shape.EMBEDDED))
    assert isinstance(body, dict)
    inner = json.loads(body["error"]["message"])
    assert (body["error"]["code"], inner["code"], inner["message"]) == ("", "X", "y")


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "InvalidParameter"),
        (429, "Throttling.RateQuota"),
        (500, "do_request_failed"),
        (502, ""),
        (418, ""),
    ],
)
def test_a_bare_status_gets_its_usual_code(status: int, code: str) -> None:
    body = _body(Reaction(status), None)
    assert isinstance(body, dict)
    assert body["error"]["code"] == code


def test_a_failure_can_hide_behind_a_200() -> None:
    answer = build_answer(Reaction(200, code="InternalError"), None, NOW)
    assert answer.status == 200
    assert json.loads(answer.body)["error"]["code"] == "InternalError"


def test_an_html_page() -> None:
    answer = build_answer(Reaction(502, content=Content.HTML), None, NOW)
    assert (answer.status, answer.content_type) == (502, "text/html")
    assert answer.body.startswith(b"<html>")


def test_a_truncated_body_is_no_json() -> None:
    with pytest.raises(json.JSONDecodeError):
        _body(Reaction(content=Content.TRUNCATED))


def test_a_big_body_holds_the_task_id_and_ten_megabytes() -> None:
    answer = build_answer(Reaction(content=Content.BIG), "task-1", NOW)
    assert len(answer.body) > BIG_BODY_BYTES
    assert json.loads(answer.body)["task_id"] == "task-1"


def test_a_wait_is_sent_word_for_word() -> None:
    headers = build_answer(Reaction(429, retry_after="soon", retry_after_ms="1500"), None, NOW).headers
    assert headers == {"Retry-After": "soon", "Retry-After-Ms": "1500"}


@pytest.mark.parametrize(
    ("seconds", "date"), [(5, "Thu, 01 Jan 2026 00:00:05 GMT"), (-1, "Wed, 31 Dec 2025 23:59:59 GMT")]
)
def test_a_wait_can_be_a_date_counted_from_the_answer(seconds: float, date: str) -> None:
    assert build_answer(Reaction(429, retry_after=DateIn(seconds)), None, NOW).headers == {"Retry-After": date}
