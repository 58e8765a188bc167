"""The answer to a POST as bytes: task ids, both documented error shapes, and unusable bodies."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import format_datetime
from uuid import uuid4

from service.simulator.reaction import Content, DateIn, Reaction, Shape

BIG_BODY_BYTES = 10 * 1024 * 1024

_ERRORS = {
    400: ("InvalidParameter", "the request is not valid"),
    401: ("invalid_api_key", "Incorrect API key provided"),
    402: ("insufficient_balance", "insufficient balance"),
    403: ("AccessDenied", "access denied"),
    404: ("ModelNotFound", "model not found"),
    408: ("RequestTimeOut", "request timed out"),
    413: ("request_too_large", "request body too large"),
    415: ("unsupported_media_type", "Content-Type must be application/json"),
    422: ("InvalidParameter", "the request cannot be processed"),
    425: ("too_early", "try again later"),
    429: ("Throttling.RateQuota", "requests rate limit exceeded, try again later"),
    500: ("do_request_failed", "upstream request failed"),
    502: ("", "bad gateway"),
    503: ("ModelServingError", "the model is not available for now"),
    504: ("", "gateway timeout"),
}


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete HTTP answer."""

    status: int
    content_type: str
    body: bytes
    headers: Mapping[str, str]


def build_answer(reaction: Reaction, task_id: str | None, now: datetime) -> Answer:
    """Build what the client gets to read; how much of it leaves is up to the reaction's ending."""
    headers = dict(_retry_headers(reaction, now))
    if reaction.content is Content.HTML:
        page = f"<html><head><title>{reaction.status}</title></head><body>{reaction.status}</body></html>"
        return Answer(reaction.status, "text/html", page.encode(), headers)
    fields = _error(reaction) if reaction.is_error else _success(reaction, task_id)
    return Answer(reaction.status, "application/json", _encode(fields, reaction.content), headers)


def _retry_headers(reaction: Reaction, now: datetime) -> dict[str, str]:
    headers: dict[str, str] = {}
    match reaction.retry_after:
        case DateIn(seconds):
            headers["Retry-After"] = format_datetime(now + timedelta(seconds=seconds), usegmt=True)
        case str(value):
            headers["Retry-After"] = value
        case None:
            pass
    if reaction.retry_after_ms is not None:
        headers["Retry-After-Ms"] = reaction.retry_after_ms
    return headers


def _encode(fields: dict[str, object], content: Content) -> bytes:
    if content is Content.BIG:
        fields = {**fields, "padding": "x" * BIG_BODY_BYTES}
    body = json.dumps(fields).encode()
    return body[: len(body) // 2] if content is Content.TRUNCATED else body


def _success(reaction: Reaction, task_id: str | None) -> dict[str, object]:
    if reaction.content is Content.NO_TASK_ID or task_id is None:
        return {"request_id": str(uuid4())}
    if reaction.task_id_under is not None:
        return {reaction.task_id_under: {"task_id": task_id}}
    return {"task_id": task_id}


def _error(reaction: Reaction) -> dict[str, object]:
    usual_code, usual_message = _ERRORS.get(reaction.status, ("", f"error {reaction.status}"))
    code = usual_code if reaction.code is None else reaction.code
    message = usual_message if reaction.message is None else reaction.message
    return _SHAPES[reaction.shape](code, message)


def _nested(code: str, message: str) -> dict[str, object]:
    return {"error": {"message": message, "type": "upstream_error", "code": code}}


def _flat(code: str, message: str) -> dict[str, object]:
    return {"code": code, "message": message, "data": None}


def _vendor(code: str, message: str) -> dict[str, object]:
    return {"code": code, "message": message, "request_id": str(uuid4())}


def _embedded(code: str, message: str) -> dict[str, object]:
    return _nested("", json.dumps(_vendor(code, message)))


_SHAPES: dict[Shape, Callable[[str, str], dict[str, object]]] = {
    Shape.NESTED: _nested,
    Shape.FLAT: _flat,
    Shape.VENDOR: _vendor,
    Shape.EMBEDDED: _embedded,
}
