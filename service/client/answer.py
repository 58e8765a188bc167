"""Reads answers. More lenient than what the worker writes: a newer worker must not need a newer client."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from service.client.errors import BadAnswer, RequestFailed
from service.core.contract import FieldProblem
from service.core.result import Charged, SubmittedResult

Submitted = SubmittedResult
"""The endpoint accepted the request: `task_id`, `request_id`, `model`, `attempts`, `submitted_at`, `warnings`."""


def _known_charge(value: object) -> object:
    return value if value in set(Charged) else Charged.UNKNOWN


class _Error(BaseModel):
    model_config = ConfigDict(frozen=True)

    code: str
    message: str
    retryable: bool
    charged: Annotated[Charged, BeforeValidator(_known_charge)]
    details: tuple[FieldProblem, ...] = ()
    http_status: int | None = None
    upstream_code: str | None = None
    upstream_message: str | None = None


class _Failed(BaseModel):
    model_config = ConfigDict(frozen=True)

    request_id: str
    status: Literal["failed"]
    attempts: int
    failed_at: datetime
    warnings: tuple[str, ...] = ()
    error: _Error


_RESULT: TypeAdapter[SubmittedResult | _Failed] = TypeAdapter(
    Annotated[SubmittedResult | _Failed, Field(discriminator="status")]
)


def read_answer(body: bytes, request_id: str) -> Submitted | RequestFailed | BadAnswer:
    """Read the answer to the request of this id."""
    try:
        result = _RESULT.validate_json(body)
    except ValidationError as error:
        return _bad(body, request_id, f"{error.error_count()} fields are wrong or missing")
    if result.request_id != request_id:
        return _bad(body, request_id, f"it is of the request {result.request_id!r}")
    return result if isinstance(result, SubmittedResult) else _failure(result)


def _failure(result: _Failed) -> RequestFailed:
    error = result.error
    failure = RequestFailed(
        error.message,
        request_id=result.request_id,
        retryable=error.retryable,
        charged=error.charged,
        code_text=error.code,
        attempts=result.attempts,
        details=error.details,
        warnings=result.warnings,
    )
    failure.http_status = error.http_status
    failure.upstream_code = error.upstream_code
    failure.upstream_message = error.upstream_message
    return failure


def _bad(body: bytes, request_id: str, why: str) -> BadAnswer:
    return BadAnswer(
        f"The answer to request {request_id} is not a result ({why}). See who else writes to the reply queue and which "
        "version the workers have; where they keep a ledger, asking again with the same request id is safe.",
        request_id=request_id,
        body=body,
    )
