"""Records as text: JSON in ASCII, because ids and messages may hold lone surrogates, which UTF-8 cannot carry."""

import json
from dataclasses import asdict
from datetime import datetime

from service.core.call import Answer
from service.core.ledger import SubmittedRecord


class UnreadableRecordError(Exception):
    """What the ledger holds was not written by this version of the worker."""


def submitted_text(record: SubmittedRecord) -> str:
    """Write a submitted record."""
    # Field by field: `asdict` copies deeply, and this runs for every request.
    return json.dumps(
        {
            "task_id": record.task_id,
            "model": record.model,
            "attempts": record.attempts,
            "at": record.at.isoformat(),
        }
    )


def read_submitted(text: str | bytes) -> SubmittedRecord:
    """Read what `submitted_text` wrote.

    Raises:
        UnreadableRecordError: it did not write this.
    """
    match _fields(text):
        case {"task_id": str(task_id), "model": str(model), "attempts": int(attempts), "at": str(at)}:
            return SubmittedRecord(task_id, model, attempts, _instant(at))
        case _:
            raise UnreadableRecordError


def answer_text(answer: Answer) -> str:
    """Write an answer of the endpoint; an empty one as empty text."""
    return "" if answer == Answer() else json.dumps(asdict(answer))


def read_answer(text: str | bytes) -> Answer:
    """Read what `answer_text` wrote.

    Raises:
        UnreadableRecordError: it did not write this.
    """
    if not text:
        return Answer()
    match _fields(text):
        case {"http_status": int() | None as status, "code": str() | None as code, "message": str() | None as message}:
            return Answer(status, code, message)
        case _:
            raise UnreadableRecordError


def spent_text(spent: frozenset[str]) -> str:
    """Write the replays that were used up."""
    return json.dumps(sorted(spent)) if spent else "[]"


def read_spent(text: str) -> frozenset[str]:
    """Read what `spent_text` wrote.

    Raises:
        UnreadableRecordError: it did not write this.
    """
    spent = _fields(text)
    if not isinstance(spent, list) or not all(isinstance(each, str) for each in spent):
        raise UnreadableRecordError
    return frozenset(spent)


def _fields(text: str | bytes) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnreadableRecordError from error


def _instant(text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise UnreadableRecordError from error
    if instant.tzinfo is None:
        raise UnreadableRecordError
    return instant
