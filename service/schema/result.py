"""The JSON Schemas of a result, and of the error in a failed one."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import Field

from service.core.contract import FieldProblem
from service.core.ledger import SubmittedRecord
from service.core.outcome import Handled, Invalid, Submitted
from service.core.result import FailedResult, ResultError, SubmittedResult
from service.core.settlement import ReplyDeadLetterThenAck, ReplyThenAck, settle
from service.schema.model_schema import Schema, schema_of

_MEANING = "What the worker publishes for a request; `status` tells the two forms apart. New fields may be added."
_NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
_REQUEST_ID = "3f6f2c5e-2a7b-4f0e-9a53-5d0a4b8a0c11"


def result_schema() -> Schema:
    """Build the schema of the body of a result: submitted or failed."""
    union = Annotated[SubmittedResult | FailedResult, Field(discriminator="status")]
    schema = schema_of(union, "serialization")
    examples = [submitted_example("wan2.2-t2v-plus"), failed_example()]
    return {
        "$schema": schema.pop("$schema"),
        "title": "Result",
        "description": _MEANING,
        **schema,
        "examples": examples,
    }


def error_schema() -> Schema:
    """Build the schema of `error` in a failed result."""
    return {**schema_of(ResultError, "serialization"), "examples": [failed_example()["error"]]}


def submitted_example(model: str) -> Schema:
    """Give the result of a request that was accepted."""
    record = SubmittedRecord("0385dc79-5ff8-4d82-bcb6-7c1e5f0b5a3b", model, attempts=1, at=_NEW_YEAR)
    settlement = settle(Handled(Submitted(record)), _REQUEST_ID, _NEW_YEAR)
    assert isinstance(settlement, ReplyThenAck)
    return settlement.result.model_dump(mode="json")


def failed_example() -> Schema:
    """Give the result of a request with a wrong field."""
    problem = FieldProblem(field="seed", message="must be a whole number from 0 to 2147483647, not -1")
    settlement = settle(Handled(Invalid((problem,))), _REQUEST_ID, _NEW_YEAR)
    assert isinstance(settlement, ReplyDeadLetterThenAck)
    return settlement.result.model_dump(mode="json")
