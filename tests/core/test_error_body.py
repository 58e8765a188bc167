import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.error_body import AnswerBody, read_answer_body

VENDOR = {"code": "Arrearage", "message": "Access denied, account in arrears"}


def said(body: object) -> AnswerBody:
    return read_answer_body(json.dumps(body).encode())


@pytest.mark.parametrize(
    "body",
    [
        {"task_id": "cgt-1:2"},
        {"data": {"task_id": "cgt-1:2"}},
        {"output": {"task_id": "cgt-1:2", "task_status": "PENDING"}},
        {"task_id": "", "data": None, "output": {"task_id": "cgt-1:2"}},
        {"task_id": "cgt-1:2", "error": {"code": "InternalError"}},
    ],
)
def test_a_task_id_is_found_in_each_of_its_places(body: object) -> None:
    assert said(body).task_id == "cgt-1:2"


def test_a_task_id_may_be_long_but_not_without_end() -> None:
    assert said({"task_id": "t" * 512}).task_id == "t" * 512

    endless = said({"task_id": "t" * 513})
    assert (endless.task_id, endless.named_task) == (None, "t" * 513)


@pytest.mark.parametrize(
    "task_id",
    ["", " ", None, 17, ["x"], "line\nbreak", "lone \ud800"],
)
def test_what_could_not_be_passed_on_is_no_task_id(task_id: object) -> None:
    assert said({"task_id": task_id}).task_id is None


@pytest.mark.parametrize(
    "body",
    [
        {"task_id": 17},
        {"task_id": "line\nbreak"},
        {"error": {"message": 'cannot read {"output": {"task_id": "x"}}'}},
        {"error": {"task_id": "x"}},
    ],
)
def test_a_sign_of_a_task_is_seen_wherever_it_is(body: object) -> None:
    assert said(body).task_id is None
    assert said(body).named_task is not None


@pytest.mark.parametrize("body", [{"task_id": ""}, {"task_id": None}, {"data": None}, VENDOR])
def test_an_empty_task_id_is_no_sign_of_a_task(body: object) -> None:
    assert said(body).named_task is None


def test_the_nested_shape_is_read() -> None:
    found = said({"error": {"message": "no", "type": "new_api_error", "code": "model_not_found"}})
    assert found == AnswerBody(
        is_object=True, is_error=True, codes=("model_not_found",), types=("new_api_error",), messages=("no",)
    )


def test_the_flat_shape_is_read() -> None:
    found = said({"code": "InvalidParameter", "message": "no", "data": None})
    assert found == AnswerBody(is_object=True, is_error=True, codes=("InvalidParameter",), messages=("no",))


def test_a_number_as_code_is_read_as_text() -> None:
    assert said({"code": 1234, "message": "no"}).codes == ("1234",)


@pytest.mark.parametrize(
    "message",
    [
        json.dumps(VENDOR),
        f"upstream said: {json.dumps(VENDOR)}",
        f"bad status {{400}}: {json.dumps(VENDOR)} (request id: 20261101)",
        json.dumps({"error": VENDOR}),
        json.dumps({"error": {"message": json.dumps(VENDOR)}}),
        VENDOR,
    ],
    ids=["alone", "after a prefix", "amid text", "nested shape", "twice", "as an object"],
)
@pytest.mark.parametrize(
    "outer", [lambda m: {"error": {"message": m, "code": "outer"}}, lambda m: {"code": "outer", "message": m}]
)
def test_a_vendors_error_inside_the_message_comes_first(outer: Callable[[object], object], message: object) -> None:
    found = said(outer(message))
    assert found.codes == ("Arrearage", "outer")
    assert found.messages[0] == VENDOR["message"]


def test_an_error_that_is_a_string_is_a_message() -> None:
    assert said({"error": "out of order"}).messages == ("out of order",)


def test_nesting_is_followed_to_a_limit() -> None:
    body: object = {"code": "innermost"}
    for _ in range(100):
        body = {"error": body}
    assert said(body).codes == ()


@pytest.mark.parametrize(
    ("body", "is_error"),
    [
        ({"error": {"message": "no"}}, True),
        ({"error": {"code": "x"}}, True),
        ({"code": "x", "message": ""}, True),
        ({"code": 500, "message": "no"}, True),
        ({"error": {}}, False),
        ({"error": "no"}, False),
        ({"error": None}, False),
        ({"message": "no"}, False),
        ({"code": "", "message": ""}, False),
        ({"detail": "Internal Server Error"}, False),
        ({"status": 500, "error": "Internal Server Error", "path": "/"}, False),
        ({}, False),
    ],
)
def test_only_the_two_shapes_are_errors(body: object, *, is_error: bool) -> None:
    assert said(body).is_error is is_error


@pytest.mark.parametrize("body", [b"", b"<html>no</html>", b"[]", b'"text"', b"null", b'{"code": "x"', b"\xff\xfe\xfd"])
def test_what_is_no_object_is_one_message(body: bytes) -> None:
    found = read_answer_body(body)
    assert not found.is_object
    assert found.messages == ((body.decode(errors="replace"),) if body else ())


def test_a_byte_order_mark_is_no_obstacle() -> None:
    assert read_answer_body(b'\xef\xbb\xbf{"task_id": "x"}').task_id == "x"


@pytest.mark.parametrize(
    "body",
    [
        b'{"task_id": "x", "pad": ' + b"[" * 100_000,
        b'{"a":' * 100_000,
        json.dumps({"message": '{"a":' * 100_000}).encode(),
        b'{"code": ' + b"1" * 10_000 + b"}",
    ],
    ids=["deep array", "deep object", "deep object in a message", "a huge number"],
)
def test_a_hostile_body_is_survived(body: bytes) -> None:
    assert read_answer_body(body).task_id is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.sampled_from(["error", "message", "code", "type", "task_id", "data", "output"]), inner)
    ),
    max_leaves=20,
)


@given(st.binary() | json_values.map(lambda value: json.dumps(value).encode()))
def test_no_body_raises(body: bytes) -> None:
    found = read_answer_body(body)
    assert all((*found.codes, *found.types, *found.messages))
