import json

import pytest

from service.client import BadAnswer, Charged, ErrorCode, RequestFailed, Submitted
from service.client.answer import read_answer

SUBMITTED = {
    "request_id": "r1",
    "status": "submitted",
    "task_id": "t1",
    "model": "m",
    "attempts": 1,
    "submitted_at": "2026-01-01T00:00:00Z",
    "warnings": [],
}
ERROR = {
    "code": "invalid_request",
    "message": "size: …",
    "retryable": False,
    "charged": "no",
    "details": [{"field": "size", "message": "…"}],
    "http_status": 400,
    "upstream_code": "InvalidParameter",
    "upstream_message": "no",
}
FAILED = {
    "request_id": "r1",
    "status": "failed",
    "attempts": 2,
    "failed_at": "2026-01-01T00:00:00Z",
    "warnings": ["cut"],
    "error": ERROR,
}


def read(**changed: object) -> Submitted | RequestFailed | BadAnswer:
    whole = FAILED if "error" in changed else SUBMITTED
    return read_answer(json.dumps({**whole, **changed}).encode(), "r1")


def failed(**changed: object) -> RequestFailed:
    answer = read(error={**ERROR, **changed})
    assert isinstance(answer, RequestFailed)
    return answer


def test_a_failure_holds_all_that_the_worker_said() -> None:
    failure = failed()

    assert (failure.request_id, failure.code, failure.text) == ("r1", ErrorCode.INVALID_REQUEST, "size: …")
    assert (failure.retryable, failure.charged, failure.attempts) == (False, Charged.NO, 2)
    assert ([problem.field for problem in failure.details], failure.warnings) == (["size"], ("cut",))
    assert (failure.http_status, failure.upstream_code, failure.upstream_message) == (400, "InvalidParameter", "no")


def test_a_code_of_a_newer_worker_is_kept_as_text() -> None:
    failure = failed(code="too_beautiful", retryable=True)

    assert (failure.code, failure.code_text, failure.retryable) == (None, "too_beautiful", True)


def test_a_charge_that_is_not_known_counts_as_unknown() -> None:
    assert failed(charged="half").charged is Charged.UNKNOWN


def test_a_field_of_a_newer_worker_is_passed_over() -> None:
    assert isinstance(read(new=1), Submitted)


@pytest.mark.parametrize("missing", sorted(SUBMITTED.keys() - {"warnings"}))
def test_an_answer_that_lacks_a_field_is_a_bad_one(missing: str) -> None:
    body = json.dumps({name: value for name, value in SUBMITTED.items() if name != missing}).encode()

    answer = read_answer(body, "r1")

    assert isinstance(answer, BadAnswer)
    assert (answer.body, answer.charged) == (body, Charged.UNKNOWN)


def test_an_answer_to_another_request_is_a_bad_one() -> None:
    answer = read(request_id="r2")

    assert isinstance(answer, BadAnswer)
    assert "of the request 'r2'" in str(answer)
