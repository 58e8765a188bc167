"""The JSON Schema of a completion, in its three forms."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import Field

from service.core.completion import (
    FailedCompletion,
    Lost,
    LostCompletion,
    SucceededCompletion,
    completion_of,
)
from service.core.pending_task import PendingTask
from service.core.task_query import Failed, QueryClass, Succeeded
from service.schema.model_schema import Schema, schema_of

_MEANING = (
    "What the worker publishes when a task has ended, where VIDEOGEN_TRACKING__ENABLED is set; `status` tells the "
    "three forms apart. New fields may be added."
)
_NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
_REQUEST_ID = "3f6f2c5e-2a7b-4f0e-9a53-5d0a4b8a0c11"
_TASK_ID = "0385dc79-5ff8-4d82-bcb6-7c1e5f0b5a3b"


def completion_schema() -> Schema:
    """Build the schema of the body of a completion: succeeded, failed or lost."""
    union = Annotated[SucceededCompletion | FailedCompletion | LostCompletion, Field(discriminator="status")]
    schema = schema_of(union, "serialization")
    return {
        "$schema": schema.pop("$schema"),
        "title": "Completion",
        "description": _MEANING,
        **schema,
        "examples": [*completion_examples("wan2.2-t2v-plus").values()],
    }


def completion_examples(model: str) -> dict[str, Schema]:
    """Give a completion of each status, by its status."""
    task = PendingTask(_TASK_ID, _REQUEST_ID, model, _NEW_YEAR, _REQUEST_ID)
    endings = (
        (Succeeded(("https://results.example.com/lighthouse.mp4",)), timedelta(minutes=4)),
        (Failed("The prompt was refused by the content inspection."), timedelta(minutes=1)),
        (Lost(QueryClass.MISSING), timedelta(days=1)),
    )
    bodies = [completion_of(task, ending, _NEW_YEAR + after).model_dump(mode="json") for ending, after in endings]
    return {body["status"]: body for body in bodies}
