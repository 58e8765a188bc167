"""The completion message: the body that tells how a task ended."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from service.core.pending_task import PendingTask
from service.core.task_query import Ending, Failed, QueryClass, Succeeded

COMPLETION_TYPE = "videogen.completion.v1"

# A completion is published with all of its fields; its schema says so of those with a default too.
_PUBLISHED = ConfigDict(frozen=True, json_schema_serialization_defaults_required=True)


class CompletionStatus(StrEnum):
    """How a task ended; also the `outcome` label of `videogen_completions_total`, and the end of the routing key."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    LOST = "lost"


RequestId = Annotated[
    str,
    Field(description="The `message_id` of the request, or the one that its result names."),
]
TaskId = Annotated[str, Field(description="The endpoint's name of the task. A completion may come twice: go by it.")]
ModelName = Annotated[str, Field(description="The model that was called, by its name in the catalogue.")]
SubmittedAt = Annotated[datetime, Field(description="When the endpoint accepted it, in UTC with whole seconds.")]
CompletedAt = Annotated[
    datetime, Field(description="When the worker learned of the end, or gave up, in UTC with whole seconds.")
]


class SucceededCompletion(BaseModel):
    """The video is there."""

    model_config = _PUBLISHED

    request_id: RequestId
    status: Literal["succeeded"] = "succeeded"
    task_id: TaskId
    model: ModelName
    submitted_at: SubmittedAt
    completed_at: CompletedAt
    urls: tuple[str, ...] = Field(
        description="Where the endpoint keeps the results, for a day. Empty where it named none that could be read."
    )


class FailedCompletion(BaseModel):
    """The endpoint could not make the video."""

    model_config = _PUBLISHED

    request_id: RequestId
    status: Literal["failed"] = "failed"
    task_id: TaskId
    model: ModelName
    submitted_at: SubmittedAt
    completed_at: CompletedAt
    reason: str = Field(description="Why, in the endpoint's own words.")


class LostCompletion(BaseModel):
    """Nobody knows how the task ended."""

    model_config = _PUBLISHED

    request_id: RequestId
    status: Literal["lost"] = "lost"
    task_id: TaskId
    model: ModelName
    submitted_at: SubmittedAt
    completed_at: CompletedAt
    reason: str = Field(description="What the last query came to, and what to do.")


Completion = SucceededCompletion | FailedCompletion | LostCompletion


@dataclass(frozen=True, slots=True)
class Lost:
    """The time for which a task is followed is over; `last` is what the last query came to."""

    last: QueryClass


_LAST_WORDS: Mapping[QueryClass, str] = {
    QueryClass.SUCCEEDED: "the video was there",
    QueryClass.FAILED: "the endpoint said that it had failed",
    QueryClass.UNDER_WAY: "the endpoint said that it was still under way",
    QueryClass.MISSING: "the endpoint did not know the task",
    QueryClass.UNCLEAR: "the endpoint's answer could not be understood",
    QueryClass.THROTTLED: "the endpoint refused the query for its rate limit",
    QueryClass.DENIED: "the endpoint refused key or account",
    QueryClass.UNANSWERED: "the endpoint gave no answer",
}


def completion_of(task: PendingTask, ending: Ending | Lost, now: datetime) -> Completion:
    """Write the body for a task that ended, or is given up."""
    # Producers parse these stamps; whole seconds keep one form for all of them.
    submitted_at, completed_at = task.submitted_at.replace(microsecond=0), now.replace(microsecond=0)
    match ending:
        case Succeeded(urls=urls):
            return SucceededCompletion(
                request_id=task.request_id,
                task_id=task.task_id,
                model=task.model,
                submitted_at=submitted_at,
                completed_at=completed_at,
                urls=urls,
            )
        case Failed(reason=reason):
            return FailedCompletion(
                request_id=task.request_id,
                task_id=task.task_id,
                model=task.model,
                submitted_at=submitted_at,
                completed_at=completed_at,
                reason=reason,
            )
        case Lost(last=last):
            return LostCompletion(
                request_id=task.request_id,
                task_id=task.task_id,
                model=task.model,
                submitted_at=submitted_at,
                completed_at=completed_at,
                reason=(
                    f"The task is followed no longer. When it was asked for last, {_LAST_WORDS[last]}. "
                    "Look for it at the provider by its task_id."
                ),
            )
