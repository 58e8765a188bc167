"""The result message: the body that a producer reads (spec section 2)."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from service.core.contract import FieldProblem

RESULT_TYPE = "videogen.result.v1"
CONTENT_TYPE = "application/json"

# A result is published with all of its fields; its schema says so of those with a default too.
_PUBLISHED = ConfigDict(frozen=True, json_schema_serialization_defaults_required=True)


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


MEANINGS = {
    ErrorCode.MALFORMED_MESSAGE: "the message is not a JSON object in UTF-8, is too large, or is compressed",
    ErrorCode.INVALID_REQUEST: "a field is wrong; `details` lists each",
    ErrorCode.EXPIRED: "the deadline passed before the endpoint accepted a call",
    ErrorCode.REJECTED: "the endpoint refused this request for good",
    ErrorCode.RATE_LIMITED: "the endpoint still refused with 429 when the retries were used up",
    ErrorCode.UNAVAILABLE: "no call got through within the retries",
    ErrorCode.BLOCKED: "the endpoint refused key, permission or balance until the retries were used up",
    ErrorCode.UNCERTAIN: "the call may have been accepted and paid for; it was not sent again",
    ErrorCode.INTERNAL: "a defect in the worker",
}
"""When a producer meets each code."""


class Charged(StrEnum):
    """Whether the call was paid for, as far as the worker can know."""

    NO = "no"
    UNKNOWN = "unknown"
    YES = "yes"


class ResultError(BaseModel):
    """Why a request failed."""

    model_config = _PUBLISHED

    code: ErrorCode = Field(description="; ".join(f"`{code}`: {meaning}" for code, meaning in MEANINGS.items()))
    message: str = Field(description="One sentence that a person can act on.")
    retryable: bool = Field(
        description="Whether the same request, under the same `message_id`, may be sent again later."
    )
    charged: Charged = Field(description="Whether a call was paid for, as far as the worker can know.")
    details: tuple[FieldProblem, ...] = Field(default=(), description="Every wrong field, for `invalid_request`.")
    http_status: int | None = Field(default=None, description="The HTTP status of the endpoint's last answer.")
    upstream_code: str | None = Field(default=None, description="The endpoint's own error code.")
    upstream_message: str | None = Field(default=None, description="What the endpoint said, in its own words.")


RequestId = Annotated[
    str,
    Field(description="The `message_id` of the request, or one that was made up. A result may come twice: go by it."),
]
Attempts = Annotated[int, Field(ge=0, description="Calls for this request, over all its deliveries.")]
Warnings = Annotated[
    tuple[str, ...], Field(description="What the worker changed in the request, or advises; one sentence each.")
]


class SubmittedResult(BaseModel):
    """The endpoint accepted the request."""

    model_config = _PUBLISHED

    request_id: RequestId
    status: Literal["submitted"] = "submitted"
    task_id: str = Field(description="The endpoint's name of the task that makes the video.")
    model: str = Field(description="The model that was called, by its name in the catalogue.")
    attempts: Attempts
    submitted_at: datetime = Field(description="When the endpoint accepted it, in UTC with whole seconds.")
    warnings: Warnings = ()


class FailedResult(BaseModel):
    """The request ended in an error."""

    model_config = _PUBLISHED

    request_id: RequestId
    status: Literal["failed"] = "failed"
    attempts: Attempts
    failed_at: datetime = Field(description="When it ended, in UTC with whole seconds.")
    warnings: Warnings = ()
    error: ResultError


Result = SubmittedResult | FailedResult
