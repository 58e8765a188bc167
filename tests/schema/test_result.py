import json
from datetime import UTC, datetime

import pytest
from jsonschema import Draft202012Validator

from service.core.call import Answer
from service.core.contract import FieldProblem
from service.core.outcome import (
    BlockedOut,
    Defect,
    Expired,
    Failure,
    Handled,
    InDoubt,
    Invalid,
    Malformed,
    RateLimited,
    Rejected,
    Submitted,
    Unavailable,
)
from service.core.result import MEANINGS, Charged, ErrorCode, FailedResult, ResultError, SubmittedResult
from service.core.settlement import ReplyDeadLetterThenAck, ReplyThenAck, settle
from service.schema import error_schema, result_schema
from tests.support.records import record

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
ANSWER = Answer(http_status=429, code="Throttling", message="too fast")
RESULT = Draft202012Validator(result_schema())
ERROR = Draft202012Validator(error_schema())
FAILURES: dict[ErrorCode, Failure] = {
    ErrorCode.MALFORMED_MESSAGE: Malformed("The body is empty."),
    ErrorCode.INVALID_REQUEST: Invalid((FieldProblem(field="seed", message="must be a whole number"),)),
    ErrorCode.EXPIRED: Expired(NOON, 0),
    ErrorCode.REJECTED: Rejected(ANSWER, 1),
    ErrorCode.RATE_LIMITED: RateLimited(ANSWER, 4),
    ErrorCode.UNAVAILABLE: Unavailable(Answer(), 4),
    ErrorCode.BLOCKED: BlockedOut(ANSWER, 4),
    ErrorCode.UNCERTAIN: InDoubt(ANSWER, 1),
    ErrorCode.INTERNAL: Defect(called=True),
}
SUBMITTED = {
    "request_id": "r",
    "status": "submitted",
    "task_id": "t",
    "model": "m",
    "attempts": 1,
    "submitted_at": "2026-01-31T12:00:00Z",
    "warnings": [],
}


@pytest.mark.parametrize("code", list(ErrorCode))
def test_what_the_worker_says_of_each_failure_passes(code: ErrorCode) -> None:
    settlement = settle(Handled(FAILURES[code], ("a warning",)), "request", NOON)
    assert isinstance(settlement, ReplyDeadLetterThenAck)
    body = json.loads(settlement.result.model_dump_json())

    assert body["error"]["code"] == code
    RESULT.validate(body)
    ERROR.validate(body["error"])


def test_what_the_worker_says_of_an_accepted_request_passes() -> None:
    settlement = settle(Handled(Submitted(record("task", "model", 1))), "request", NOON)
    assert isinstance(settlement, ReplyThenAck)

    RESULT.validate(json.loads(settlement.result.model_dump_json()))


@pytest.mark.parametrize("field", sorted(SUBMITTED))
def test_no_field_of_a_result_may_be_missing(field: str) -> None:
    assert RESULT.is_valid(SUBMITTED)
    assert not RESULT.is_valid({name: value for name, value in SUBMITTED.items() if name != field})


@pytest.mark.parametrize(
    "wrong", [{"status": "done"}, {"status": "failed"}, {"attempts": -1}, {"attempts": "1"}, {"warnings": None}]
)
def test_a_result_of_another_form_is_refused(wrong: dict[str, object]) -> None:
    assert not RESULT.is_valid({**SUBMITTED, **wrong})


def test_a_consumer_need_not_know_fields_that_come_later() -> None:
    assert RESULT.is_valid({**SUBMITTED, "cost": 1})


def test_the_closed_sets_are_those_of_the_worker() -> None:
    fields = error_schema()["properties"]

    assert fields["code"]["enum"] == [str(code) for code in ErrorCode]
    assert fields["charged"]["enum"] == [str(charged) for charged in Charged]
    assert set(MEANINGS) == set(ErrorCode)
    assert all(f"`{code}`: " in fields["code"]["description"] for code in ErrorCode)


@pytest.mark.parametrize("model", [SubmittedResult, FailedResult, ResultError, FieldProblem])
def test_every_field_is_described(model: type[SubmittedResult | FailedResult | ResultError | FieldProblem]) -> None:
    fields = result_schema()["$defs"][model.__name__]["properties"]

    assert set(fields) == set(model.model_fields)
    assert all("description" in field or "$ref" in field or "const" in field for field in fields.values())


@pytest.mark.parametrize("schema", [result_schema(), error_schema()])
def test_the_schemas_are_right_and_so_are_their_examples(schema: dict[str, object]) -> None:
    Draft202012Validator.check_schema(schema)
    examples = schema["examples"]
    assert isinstance(examples, list)
    assert examples
    assert all(Draft202012Validator(schema).is_valid(each) for each in examples)
