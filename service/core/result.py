"""The result message: the body that a producer reads (spec section 2)."""

from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict

from service.core.contract import FieldProblem

RESULT_TYPE = "videogen.result.v1"


class ErrorCode(StrEnum):
    """The closed set of error codes."""

    MALFORMED_MESSAGE = "malformed_message"
    INVALID_REQUEST = "invalid_request"
    EXPIRED = "expired"
    REJECTED = "rejected"
    RATE_LIMITED = "rate_limited"
    UNAVAILABLE = "unavailable"
    BLOCKED = "blocked"
    UNCERTAIN = "uncertain"
    INTERNAL = "internal"


class Charged(StrEnum):
    """Whether the call was paid for, as far as the worker can know."""

    NO = "no"
    UNKNOWN = "unknown"
    YES = "yes"


class ResultError(BaseModel):
    """Why a request failed. `message` is one sentence that a person can act on."""

    model_config = ConfigDict(frozen=True)

    code: ErrorCode
    message: str
    retryable: bool
    charged: Charged
    details: tuple[FieldProblem, ...] = ()
    http_status: int | None = None
    upstream_code: str | None = None
    upstream_message: str | None = None


class SubmittedResult(BaseModel):
    """The endpoint accepted the request."""

    model_config = ConfigDict(frozen=True)

    request_id: str
    status: Literal["submitted"] = "submitted"
    task_id: str
    model: str
    attempts: int
    submitted_at: datetime
    warnings: tuple[str, ...] = ()


class FailedResult(BaseModel):
    """The request ended in an error."""

    model_config = ConfigDict(frozen=True)

    request_id: str
    status: Literal["failed"] = "failed"
    attempts: int
    failed_at: datetime
    warnings: tuple[str, ...] = ()
    error: ResultError


Result = SubmittedResult | FailedResult
