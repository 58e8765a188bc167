"""What waits for an operator in `videogen.dead` and `videogen.undelivered`, and how some of it is picked."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from service.core.completion import COMPLETION_TYPE
from service.core.delivery import Delivery
from service.core.history import ATTEMPTS, FIRST_SEEN, history_of

ERROR_CODE = "x-error-code"
ERROR_MESSAGE = "x-error-message"
REQUEST_ID = "x-request-id"
REPLY_TO = "x-reply-to"
TASK_ID = "x-task-id"
ORIGINAL_REPLY_TO = "x-original-reply-to"

UNEXPLAINED = "unexplained"
SUBMITTED = "submitted"

# Reasons of the broker (https://www.rabbitmq.com/docs/dlx): our code for each, and what it means for the operator.
_MOVED_BY_THE_BROKER = {
    "delivery_limit": (
        "poison",
        "The broker gave it out again and again without an end, then moved it here. Look for what stops the worker.",
    ),
    "expired": ("expired_in_queue", "Its expiration passed before a worker settled it. The broker moved it here."),
    "rejected": ("dropped_by_consumer", "Another consumer than the worker rejected it. The broker moved it here."),
    "maxlen": ("overflow", "The queue of requests was full. The broker moved it here."),
}
_NO_REASON = (UNEXPLAINED, "It carries neither the worker's error nor the broker's reason. Find out who put it here.")


@dataclass(frozen=True, slots=True)
class Parked:
    """One parked message without its body and headers, so that a long queue fits into memory.

    `id` is the request id; for a message that carries none, `sha256:` and the start of its body's digest. `key` tells
    two parked copies of one request apart. `code` is that of the result, `submitted`, the status of a completion, or
    says why the broker moved the message (`by_broker`). `since` is when a worker first saw the request; when the broker
    moved it; when the result was published. `reply_to` is where the result should have gone, or goes after a replay.
    """

    id: str
    key: str
    code: str
    by_broker: bool
    since: datetime
    attempts: int | None
    message: str
    task_id: str | None
    reply_to: str | None


@dataclass(frozen=True, slots=True)
class Selection:
    """Which parked messages are meant. Each filter that is set must hold; none set means all of them."""

    codes: frozenset[str] = frozenset()
    request_ids: frozenset[str] = frozenset()
    older_than: timedelta | None = None
    newer_than: timedelta | None = None

    @property
    def is_everything(self) -> bool:
        """Whether no filter is set."""
        return self == Selection()

    def takes(self, parked: Parked, now: datetime) -> bool:
        """Tell whether a message is meant."""
        age = now - parked.since
        return (
            (not self.codes or parked.code in self.codes)
            and (not self.request_ids or parked.id in self.request_ids)
            and (self.older_than is None or age >= self.older_than)
            and (self.newer_than is None or age < self.newer_than)
        )


def is_from_worker(delivery: Delivery) -> bool:
    """Tell whether the worker wrote this dead copy; otherwise the broker moved the message itself."""
    return ERROR_CODE in delivery.headers


def parked_request(delivery: Delivery, now: datetime) -> Parked:
    """Read a message of `videogen.dead`. What cannot be read counts as not there."""
    headers = delivery.headers
    from_worker = is_from_worker(delivery)
    if from_worker:
        code, message = _text(headers, ERROR_CODE) or UNEXPLAINED, _text(headers, ERROR_MESSAGE) or ""
        request_id, reply_to = _text(headers, REQUEST_ID), _text(headers, REPLY_TO)
    else:
        code, message = _MOVED_BY_THE_BROKER.get(_reason(headers) or "", _NO_REASON)
        request_id, reply_to = delivery.message_id, delivery.reply_to
    name = _named(request_id, delivery)
    return Parked(
        id=name,
        key=delivery.message_id or name,
        code=code,
        by_broker=not from_worker,
        since=_request_since(delivery, now),
        attempts=history_of(delivery, now).attempts if ATTEMPTS in headers else None,
        message=message,
        task_id=_text(headers, TASK_ID),
        reply_to=reply_to,
    )


def parked_result(delivery: Delivery, now: datetime) -> Parked:
    """Read a message of `videogen.undelivered`: a result or a completion. What cannot be read counts as not there."""
    body = _json_object(delivery.body)
    completed = _string(body.get("status")) if delivery.type == COMPLETION_TYPE else None
    error = body.get("error")
    error = error if isinstance(error, dict) else {}
    task_id = _string(body.get("task_id"))
    attempts = body.get("attempts")
    name = _named(_string(body.get("request_id")) or delivery.correlation_id, delivery)
    return Parked(
        id=name,
        key=delivery.message_id or name,
        code=completed or _string(error.get("code")) or (SUBMITTED if task_id else UNEXPLAINED),
        by_broker=False,
        since=delivery.timestamp or now,
        attempts=attempts if isinstance(attempts, int) else None,
        message=_string(error.get("message")) or _string(body.get("reason")) or "",
        task_id=task_id,
        reply_to=_text(delivery.headers, ORIGINAL_REPLY_TO),
    )


def _request_since(delivery: Delivery, now: datetime) -> datetime:
    if FIRST_SEEN in delivery.headers:
        return history_of(delivery, now).first_seen
    moved = _last_death(delivery.headers).get("time")
    return moved if isinstance(moved, datetime) else delivery.timestamp or now


def _reason(headers: Mapping[str, object]) -> str | None:
    # The first reason may be the end of a wait queue's time, long ago.
    return (
        _text(_last_death(headers), "reason")
        or _text(headers, "x-last-death-reason")
        or _text(headers, "x-first-death-reason")
    )


def _last_death(headers: Mapping[str, object]) -> Mapping[str, object]:
    deaths = headers.get("x-death")
    last = deaths[0] if isinstance(deaths, list) and deaths else None
    return last if isinstance(last, dict) else {}


def _named(request_id: str | None, delivery: Delivery) -> str:
    return request_id or f"sha256:{sha256(delivery.body).hexdigest()[:16]}"


def _json_object(body: bytes) -> dict[str, object]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _text(headers: Mapping[str, object], name: str) -> str | None:
    value = headers.get(name)
    return _string(value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value)


def _string(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
