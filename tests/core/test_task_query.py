import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.task_query import (
    NO_REASON,
    Failed,
    HeldOff,
    HeldOffReason,
    Missing,
    QueryClass,
    QueryResult,
    Succeeded,
    Unclear,
    UnderWay,
    query_class,
    read_query_answer,
)
from tests.support.fakes import NEW_YEAR

URL = "https://results.example.com/a.mp4"
OTHER = "https://results.example.com/b.mp4"


def read(status: int = 200, body: object = None, secret: str = "", **headers: str) -> QueryResult:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return read_query_answer(status, named, raw, NEW_YEAR, task_id="task-1", secret=secret)


def succeeded(**data: object) -> QueryResult:
    return read(body={"task_id": "task-1", "status": "SUCCESS", "progress": "100%", "fail_reason": "", "data": data})


@pytest.mark.parametrize("status", ["NOT_START", "SUBMITTED", "QUEUED", "IN_PROGRESS", "in_progress", " QUEUED "])
def test_a_task_that_waits_or_runs_is_under_way(status: str) -> None:
    assert read(body={"status": status}) == UnderWay()


@pytest.mark.parametrize(
    ("data", "urls"),
    [
        ({"output": URL, "outputs": [URL]}, (URL,)),
        ({"output": URL}, (URL,)),
        ({"outputs": [OTHER, URL, OTHER]}, (OTHER, URL)),
        ({"output": None, "outputs": None}, ()),
        ({"output": "no address", "outputs": [7, "ftp://a/b", URL + "\n", "https://a/\ud800", "https://a b/"]}, ()),
        ({"output": "https://a/" + "x" * 9000}, ()),
        ({"outputs": [f"https://a/{number}" for number in range(200)]}, tuple(f"https://a/{n}" for n in range(100))),
    ],
)
def test_a_success_tells_each_address_that_can_be_passed_on(data: dict[str, object], urls: tuple[str, ...]) -> None:
    assert succeeded(**data) == Succeeded(urls)


def test_a_success_without_data_is_a_success_without_addresses() -> None:
    assert read(body={"status": "SUCCESS", "data": "https://a/b"}) == Succeeded(())


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("the content was refused", "the content was refused"),
        ("two\nlines, key sk-1", "two lines, key [redacted]"),
        ("", NO_REASON),
        (None, NO_REASON),
        ({"code": 1}, NO_REASON),
    ],
)
def test_a_failure_tells_its_reason_on_one_line_and_without_the_key(reason: object, told: str) -> None:
    assert read(body={"status": "FAILURE", "fail_reason": reason}, secret="sk-1") == Failed(told)


def test_a_task_that_a_gateway_has_wrapped_into_data_is_found() -> None:
    wrapped = {"code": "success", "message": "", "data": {"status": "SUCCESS", "data": {"output": URL}}}
    assert read(body=wrapped) == Succeeded((URL,))


@pytest.mark.parametrize("inner", ["IN_PROGRESS", "FAILURE"])
def test_the_status_of_the_task_counts_and_not_the_one_that_a_gateway_puts_around_it(inner: str) -> None:
    wrapped = {"status": "SUCCESS", "data": {"status": inner, "fail_reason": "no"}}
    assert read(body=wrapped) == (UnderWay() if inner == "IN_PROGRESS" else Failed("no"))


def test_an_answer_that_names_another_task_says_nothing_of_this_one() -> None:
    answer = {"task_id": "task-1", "status": "SUCCESS", "data": {"output": URL}}
    assert read(body=answer) == Succeeded((URL,))
    assert read(body={**answer, "task_id": "task-2"}) == Unclear()


@pytest.mark.parametrize(
    "body",
    [
        {"status": "UNHEARD_OF"},
        {"status": "failure", "message": "query backend busy"},
        {"status": "success", "message": ""},
        {"status": 7},
        {"status": ""},
        {},
        {"error": {"message": "no", "code": "x"}},
        {"code": "InternalError", "message": "no", "data": None},
        [],
        "SUCCESS",
        None,
        b"",
        b"<html>busy</html>",
        b"\xff",
        b'{"status": "SUCC',
        b"[" * 100_000,
    ],
    ids=lambda body: repr(body)[:30],
)
def test_an_answer_that_says_nothing_of_the_task_is_unclear(body: object) -> None:
    assert read(body=body) == Unclear()


def test_a_body_that_could_not_be_read_is_unclear() -> None:
    assert read_query_answer(200, {}, None, NEW_YEAR, task_id="task-1") == Unclear()


@pytest.mark.parametrize("status", [404, 410])
def test_a_task_that_the_endpoint_does_not_know_is_missing(status: int) -> None:
    assert read(status, {"code": "task_not_exist", "message": "no"}) == Missing()


@pytest.mark.parametrize("status", [400, 405, 413, 422])
def test_a_refusal_of_this_query_alone_is_unclear(status: int) -> None:
    assert read(status, {"status": "SUCCESS"}) == Unclear()


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (425, HeldOffReason.THROTTLED),
        (429, HeldOffReason.THROTTLED),
        (401, HeldOffReason.DENIED),
        (402, HeldOffReason.DENIED),
        (403, HeldOffReason.DENIED),
        (407, HeldOffReason.DENIED),
        (302, HeldOffReason.UNANSWERED),
        (408, HeldOffReason.UNANSWERED),
        (500, HeldOffReason.UNANSWERED),
        (502, HeldOffReason.UNANSWERED),
        (503, HeldOffReason.UNANSWERED),
        (504, HeldOffReason.UNANSWERED),
    ],
)
def test_a_refusal_that_would_meet_every_query_holds_them_off(status: int, reason: HeldOffReason) -> None:
    assert read(status, {"status": "FAILURE"}) == HeldOff(reason)
    assert read(status, {}, Retry_After="7") == HeldOff(reason, 7.0)


@pytest.mark.parametrize(
    ("result", "kind"),
    [
        (Succeeded(()), QueryClass.SUCCEEDED),
        (Failed("no"), QueryClass.FAILED),
        (UnderWay(), QueryClass.UNDER_WAY),
        (Missing(), QueryClass.MISSING),
        (Unclear(), QueryClass.UNCLEAR),
        *((HeldOff(reason), QueryClass(reason.value)) for reason in HeldOffReason),
    ],
)
def test_each_result_has_its_label(result: QueryResult, kind: QueryClass) -> None:
    assert query_class(result) is kind


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["SUCCESS", "FAILURE", URL, "\ud800"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["status", "data", "output", "outputs", "fail_reason"]), inner, max_size=5)
    ),
    max_leaves=8,
)


@given(st.integers(100, 599), st.binary(max_size=40) | JSON.map(lambda value: json.dumps(value).encode()))
def test_whatever_comes_is_told_in_a_form_that_a_message_can_carry(status: int, body: bytes) -> None:
    result = read(status, body)
    assert query_class(result) in QueryClass
    match result:
        case Succeeded(urls=urls):
            assert "".join(urls).encode().isascii()
        case Failed(reason=reason):
            assert reason.isprintable()
            assert reason.encode()
        case _:
            assert result in (UnderWay(), Missing(), Unclear()) or isinstance(result, HeldOff)
