"""Tasks that are followed, as text: JSON in ASCII, as `record_text` has it."""

import json
from datetime import datetime

from service.adapters.ledger.record_text import UnreadableRecordError
from service.core.pending_task import PendingTask


def task_text(task: PendingTask) -> str:
    """Write a task."""
    return json.dumps(
        {
            "task_id": task.task_id,
            "request_id": task.request_id,
            "model": task.model,
            "submitted_at": task.submitted_at.isoformat(),
            "correlation_id": task.correlation_id,
            "reply_to": task.reply_to,
            "trace": dict(task.trace),
        }
    )


def read_task(text: str | bytes) -> PendingTask:
    """Read what `task_text` wrote.

    Raises:
        UnreadableRecordError: it did not write this.
    """
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnreadableRecordError from error
    match fields:
        case {
            "task_id": str(task_id),
            "request_id": str(request_id),
            "model": str(model),
            "submitted_at": str(submitted_at),
            "correlation_id": str(correlation_id),
            "reply_to": str() | None as reply_to,
            "trace": dict(trace),
        } if all(isinstance(value, str) for value in trace.values()):
            return PendingTask(task_id, request_id, model, _instant(submitted_at), correlation_id, reply_to, {**trace})
        case _:
            raise UnreadableRecordError


def _instant(text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise UnreadableRecordError from error
    if instant.tzinfo is None:
        raise UnreadableRecordError
    return instant
