"""A row for each status class (spec section 3) and for each body of the endpoint facts."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.call import (
    Accepted,
    Blocked,
    CallResult,
    NotSent,
    NotSentReason,
    RefusedForGood,
    RefusedForNow,
    ResultClass,
    Uncertain,
    UncertainReason,
    result_class,
)
from service.core.classification import classify

NOW = datetime(2026, 1, 1, tzinfo=UTC)

ACCEPTED = ResultClass.ACCEPTED
NOT_SENT = ResultClass.NOT_SENT
FOR_NOW = ResultClass.REFUSED_FOR_NOW
FOR_GOOD = ResultClass.REFUSED_FOR_GOOD
BLOCKED = ResultClass.BLOCKED
UNCERTAIN = ResultClass.UNCERTAIN


def classified(status: int, body: object = None, **headers: str) -> CallResult:
    """Classify an answer; a body that is not bytes is sent as JSON, None could not be read."""
    raw = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    return classify(status, {name.replace("_", "-"): value for name, value in headers.items()}, raw, NOW)


def nested(code: str, message: str = "m", kind: str = "new_api_error") -> object:
    return {"error": {"message": message, "type": kind, "code": code}}


def flat(code: str, message: str = "m") -> object:
    return {"code": code, "message": message, "data": None}


STATUS_ROWS = [
    *[(status, UNCERTAIN) for status in (100, 101, 199, 200, 201, 202, 204, 299, 300, 301, 302, 303, 304)],
    *[(status, FOR_GOOD) for status in (307, 308, 400, 403, 404, 405, 409, 410, 413, 415, 418, 422, 451, 499)],
    *[(status, BLOCKED) for status in (401, 402)],
    *[(status, FOR_NOW) for status in (425, 429, 503)],
    *[(status, UNCERTAIN) for status in (408, 500, 501, 502, 504, 505, 507, 511, 520, 522, 524, 527, 530, 599, 600)],
    *[(status, NOT_SENT) for status in (521, 523, 525, 526)],
]


@pytest.mark.parametrize("body", [None, b"", b"<html>Oops</html>", b"{}", b'{"error'], ids=repr)
@pytest.mark.parametrize(("status", "expected"), STATUS_ROWS)
def test_a_status_without_a_telling_body_decides(status: int, expected: ResultClass, body: bytes | None) -> None:
    assert result_class(classified(status, body)) is expected


CODE_ROWS = [
    pytest.param(401, nested("", "Invalid token"), BLOCKED, id="401 key wrong"),
    pytest.param(401, nested("", "bad key", "invalid_request_error"), BLOCKED, id="401 with a vague type"),
    pytest.param(402, nested("whatever"), BLOCKED, id="402"),
    pytest.param(403, nested("insufficient_user_quota"), BLOCKED, id="403 insufficient_user_quota"),
    pytest.param(403, nested("pre_consume_token_quota_failed"), BLOCKED, id="403 pre_consume_token_quota_failed"),
    pytest.param(400, flat("Arrearage"), BLOCKED, id="400 Arrearage"),
    pytest.param(429, nested("insufficient_user_quota"), BLOCKED, id="429 insufficient_user_quota"),
    pytest.param(429, flat("PrepaidBillOverdue"), BLOCKED, id="429 *BillOverdue"),
    pytest.param(429, flat("CommodityNotPurchased"), BLOCKED, id="429 CommodityNotPurchased"),
    pytest.param(429, flat("AllocationQuota.FreeTierOnly"), BLOCKED, id="429 FreeTierOnly"),
    pytest.param(
        429, flat("Throttling.AllocationQuota", "Free allocated quota exceeded."), BLOCKED, id="429 free quota"
    ),
    pytest.param(429, nested("", "Free allocated quota exceeded."), BLOCKED, id="429 free quota, no code"),
    pytest.param(429, nested("insufficient_quota", "check your billing"), BLOCKED, id="429 insufficient_quota, money"),
    pytest.param(429, nested("", "check your billing", "insufficient_quota"), BLOCKED, id="429 quota as type"),
    pytest.param(
        429, nested("insufficient_quota", "60 requests per minute"), FOR_NOW, id="429 insufficient_quota, rate"
    ),
    pytest.param(429, flat("Throttling"), FOR_NOW, id="429 Throttling"),
    pytest.param(429, flat("Throttling.RateQuota"), FOR_NOW, id="429 Throttling.RateQuota"),
    pytest.param(429, nested("limit_requests"), FOR_NOW, id="429 limit_requests"),
    pytest.param(429, nested("unheard_of"), FOR_NOW, id="429 unknown code"),
    pytest.param(429, nested("", "slow down", "invalid_request_error"), FOR_NOW, id="429 with a vague type"),
    pytest.param(403, flat("AccessDenied"), FOR_GOOD, id="403 AccessDenied"),
    pytest.param(403, flat("Model.AccessDenied"), FOR_GOOD, id="403 Model.AccessDenied"),
    pytest.param(403, flat("Workspace.AccessDenied"), FOR_GOOD, id="403 Workspace.AccessDenied"),
    pytest.param(400, flat("InvalidParameter"), FOR_GOOD, id="400 InvalidParameter"),
    pytest.param(400, flat("InvalidURL"), FOR_GOOD, id="400 InvalidURL"),
    pytest.param(400, flat("BadRequest.TooLarge"), FOR_GOOD, id="400 BadRequest.*"),
    pytest.param(400, nested("", "m", "invalid_request_error"), FOR_GOOD, id="400 invalid_request_error"),
    pytest.param(404, flat("ModelNotFound"), FOR_GOOD, id="404 ModelNotFound"),
    pytest.param(400, flat("DataInspectionFailed"), FOR_GOOD, id="400 DataInspectionFailed"),
    pytest.param(400, nested("data_inspection_failed"), FOR_GOOD, id="400 data_inspection_failed"),
    pytest.param(400, flat("IPInfringementSuspect"), FOR_GOOD, id="400 IPInfringementSuspect"),
    pytest.param(500, flat("DataInspectionFailed"), FOR_GOOD, id="inspection behind a 500"),
    pytest.param(504, flat("InvalidParameter"), FOR_GOOD, id="parameter behind a 504"),
    pytest.param(503, nested("model_not_found"), FOR_GOOD, id="503 model_not_found"),
    pytest.param(500, nested("build_request_failed"), FOR_GOOD, id="500 build_request_failed"),
    pytest.param(500, nested("", "invalid size"), FOR_GOOD, id="500 invalid size"),
    pytest.param(500, nested("do_request_failed"), FOR_NOW, id="500 do_request_failed"),
    pytest.param(500, flat("InternalError.Algo"), FOR_NOW, id="500 InternalError*"),
    pytest.param(500, flat("SystemError"), FOR_NOW, id="500 SystemError"),
    pytest.param(500, nested("insert_task_failed"), UNCERTAIN, id="a gateway that could not keep the task"),
    pytest.param(500, flat("InternalError.Timeout"), UNCERTAIN, id="an upstream that answered too late"),
    *[
        pytest.param(status, flat(code), UNCERTAIN, id=f"{code} does not make a {status} safe")
        for status in (502, 504, 522)
        for code in ("InternalError.Algo", "do_request_failed", "SystemError")
    ],
    pytest.param(504, flat("Throttling"), FOR_NOW, id="a refusal behind a 504"),
    pytest.param(500, nested("unheard_of"), FOR_NOW, id="500 with a JSON error object"),
    pytest.param(500, nested("", "oops"), FOR_NOW, id="500 with an error object without code"),
    pytest.param(500, {"detail": "Internal Server Error"}, UNCERTAIN, id="500 with some other JSON"),
    pytest.param(500, [nested("x")], UNCERTAIN, id="500 with an array"),
    pytest.param(503, flat("ModelServingError"), FOR_NOW, id="503 ModelServingError"),
    pytest.param(503, flat("ModelUnavailable"), FOR_NOW, id="503 ModelUnavailable"),
    pytest.param(500, nested("read_response_body_failed"), UNCERTAIN, id="500 read_response_body_failed"),
    pytest.param(500, nested("unmarshal_response_body_failed"), UNCERTAIN, id="500 unmarshal_response_body_failed"),
    pytest.param(500, nested("invalid_response"), UNCERTAIN, id="500 invalid_response"),
    pytest.param(408, flat("RequestTimeOut"), UNCERTAIN, id="408 RequestTimeOut"),
    pytest.param(500, flat("RequestTimeOut"), UNCERTAIN, id="500 RequestTimeOut"),
    pytest.param(502, nested("unheard_of"), UNCERTAIN, id="502 unknown code"),
    pytest.param(504, nested("", "m", "Throttling"), UNCERTAIN, id="a type does not make a 504 safe"),
    pytest.param(521, flat("Arrearage"), BLOCKED, id="code beats 521"),
]


@pytest.mark.parametrize(("status", "body", "expected"), CODE_ROWS)
def test_an_error_body_is_classified_by_its_code(status: int, body: object, expected: ResultClass) -> None:
    assert result_class(classified(status, body)) is expected


WITH_SUCCESS = [
    pytest.param({"task_id": "task-1", "error": {"code": "Arrearage"}}, ACCEPTED, id="an error beside a task id"),
    pytest.param({"data": {"task_id": "task-1"}, "code": "success"}, ACCEPTED, id="task id under data"),
    pytest.param({"output": {"task_id": "task-1"}}, ACCEPTED, id="task id under output"),
    pytest.param(flat("Arrearage"), BLOCKED, id="quota"),
    pytest.param(nested("DataInspectionFailed"), FOR_GOOD, id="inspection"),
    pytest.param(flat("Throttling"), FOR_NOW, id="rate"),
    pytest.param(nested("unheard_of"), UNCERTAIN, id="unknown code"),
    pytest.param(nested("", "Free allocated quota exceeded"), UNCERTAIN, id="a phrase alone"),
    pytest.param(nested("", "m", "Throttling"), UNCERTAIN, id="a type that would have it sent again"),
    pytest.param({"task_id": ""}, UNCERTAIN, id="empty task id"),
    pytest.param({"task_id": 17}, UNCERTAIN, id="a number as task id"),
    pytest.param({"task_id": 17, "code": "Throttling"}, UNCERTAIN, id="a number as task id, and a code"),
    pytest.param({"id": "task-1"}, UNCERTAIN, id="another name"),
    pytest.param([], UNCERTAIN, id="an array"),
]


@pytest.mark.parametrize("status", [200, 201, 202])
@pytest.mark.parametrize(("body", "expected"), WITH_SUCCESS)
def test_a_success_is_believed_only_with_a_task_id(status: int, body: object, expected: ResultClass) -> None:
    assert result_class(classified(status, body)) is expected


def test_an_accepted_call_has_the_task_id_as_it_came() -> None:
    assert classified(200, {"task_id": "cgt:2026/ä"}) == Accepted("cgt:2026/ä")


@pytest.mark.parametrize("status", [301, 400, 401, 403, 429, 500, 502, 503, 521])
def test_a_failure_that_names_a_task_is_uncertain_and_tells_the_task(status: int) -> None:
    result = classified(status, {"code": "Throttling", "message": "slow", "data": {"task_id": "task-1"}})
    assert isinstance(result, Uncertain)
    assert "task-1" in (result.answer.message or "")


def test_an_uncertain_code_in_any_layer_is_never_sent_again() -> None:
    inner = json.dumps({"code": "Throttling", "message": "m"})
    assert isinstance(classified(500, nested("read_response_body_failed", inner)), Uncertain)


def test_a_vendors_code_inside_the_message_decides() -> None:
    inner = json.dumps({"code": "Arrearage", "message": "in arrears"})
    result = classified(500, nested("bad_response_status_code", f"upstream: {inner}"))
    assert isinstance(result, Blocked)
    assert (result.answer.code, result.answer.message) == ("Arrearage", "in arrears")


def test_a_gateways_code_decides_where_the_vendors_is_unknown() -> None:
    inner = json.dumps({"code": "unheard_of", "message": "m"})
    assert isinstance(classified(503, nested("model_not_found", inner)), RefusedForGood)


@pytest.mark.parametrize(
    ("body", "forbidden"),
    [
        (b"", True),
        (nested("unheard_of"), True),
        (nested("", "m", "invalid_request_error"), True),
        (flat("Model.AccessDenied"), True),
        (flat("DataInspectionFailed"), False),
    ],
    ids=["bare", "unknown code", "a vague type", "access denied", "a telling code"],
)
def test_a_403_without_a_more_telling_code_counts_towards_the_streak(body: object, *, forbidden: bool) -> None:
    result = classified(403, body)
    assert isinstance(result, RefusedForGood)
    assert result.forbidden is forbidden


def test_another_4xx_does_not_count_towards_the_streak() -> None:
    result = classified(404, b"")
    assert isinstance(result, RefusedForGood)
    assert not result.forbidden


@pytest.mark.parametrize(
    ("status", "body", "throttled"),
    [
        (429, None, True),
        (429, flat("InternalError"), True),
        (500, flat("Throttling"), True),
        (503, None, False),
        (425, None, False),
        (500, flat("InternalError"), False),
    ],
)
def test_throttling_is_told_apart_from_being_out_of_order(status: int, body: object, *, throttled: bool) -> None:
    result = classified(status, body)
    assert isinstance(result, RefusedForNow)
    assert result.throttled is throttled


@pytest.mark.parametrize("status", [425, 429, 503])
def test_the_wait_that_the_server_asks_for_is_kept(status: int) -> None:
    result = classified(status, None, Retry_After="7")
    assert isinstance(result, RefusedForNow)
    assert result.retry_after == 7.0


@pytest.mark.parametrize("status", [521, 523, 525, 526])
def test_a_gateway_that_never_got_through_is_the_reason(status: int) -> None:
    result = classified(status)
    assert isinstance(result, NotSent)
    assert result.reason is NotSentReason.GATEWAY


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (200, None, UncertainReason.UNREADABLE_ANSWER),
        (200, b'{"task_id": "ta', UncertainReason.UNREADABLE_ANSWER),
        (200, b"{}", UncertainReason.NO_TASK_ID),
        (408, None, UncertainReason.TIMEOUT),
        *[(status, None, UncertainReason.GATEWAY) for status in (502, 504, 520, 522, 524)],
        (500, None, UncertainReason.SERVER_ERROR),
        (501, None, UncertainReason.SERVER_ERROR),
        (302, None, UncertainReason.UNREADABLE_ANSWER),
    ],
)
def test_a_doubt_has_its_reason(status: int, body: object, reason: UncertainReason) -> None:
    result = classified(status, body)
    assert isinstance(result, Uncertain)
    assert result.reason is reason


def test_an_answer_keeps_status_code_and_message() -> None:
    result = classified(400, flat("InvalidParameter", "size is wrong"))
    assert isinstance(result, RefusedForGood)
    answer = result.answer
    assert (answer.http_status, answer.code, answer.message) == (400, "InvalidParameter", "size is wrong")


@pytest.mark.parametrize("status", [301, 307, 308])
def test_a_redirect_leads_to_the_setting(status: int) -> None:
    result = classified(status, b"", Location="https://elsewhere.example/")
    assert isinstance(result, RefusedForGood | Uncertain)
    assert result.answer.message == (
        "redirected to https://elsewhere.example/; set VIDEOGEN_ENDPOINT__BASE_URL to the address that answers"
    )


def test_a_long_message_with_control_characters_is_made_fit() -> None:
    result = classified(400, flat("InvalidParameter", "\x1b[31m" + "x\n" * 1000))
    assert isinstance(result, RefusedForGood)
    message = result.answer.message or ""
    assert len(message) <= 500
    assert message.isprintable()


def test_a_secret_does_not_reach_the_answer() -> None:
    body = json.dumps(nested("sk-1 is bad", "Incorrect API key: sk-1")).encode()
    result = classify(401, {}, body, NOW, secret="sk-1")
    assert isinstance(result, Blocked)
    assert (result.answer.code, result.answer.message) == ("[redacted] is bad", "Incorrect API key: [redacted]")


bodies = st.none() | st.binary() | st.text().map(str.encode)


@given(st.sampled_from([200, 204, 299, 408, 500, 502, 504, 520, 522, 524]), bodies)
def test_a_body_that_says_nothing_never_makes_a_doubtful_status_safe(status: int, body: bytes | None) -> None:
    assert isinstance(classify(status, {}, body, NOW), Uncertain)


@given(st.integers(100, 999), st.dictionaries(st.text(), st.text()), bodies)
def test_every_answer_has_a_class(status: int, headers: dict[str, str], body: bytes | None) -> None:
    result_class(classify(status, headers, body, NOW))
