"""What a query for a task can come to: status, headers and body of an answer → a closed union (endpoint facts)."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from service.core.retry_after import retry_after
from service.core.upstream_text import fit

NO_REASON = "The endpoint gave no reason."

_SUCCESS = range(200, 300)
_CLIENT_ERROR = range(400, 500)
_MISSING = frozenset({404, 410})
_DENIED = frozenset({401, 402, 403, 407})
_THROTTLED = frozenset({425, 429})
_NO_ANSWER = 408
_UNDER_WAY = frozenset({"NOT_START", "SUBMITTED", "QUEUED", "IN_PROGRESS"})
_SUCCEEDED, _FAILED = "SUCCESS", "FAILURE"
_ENDS = frozenset({_SUCCEEDED, _FAILED})
# Signed addresses are long; a page is none.
_LONGEST_URL = 8192
_MOST_URLS = 100


class HeldOffReason(StrEnum):
    """Why no answer about a task was to be had, nor would be for another one."""

    THROTTLED = "throttled"
    DENIED = "denied"
    UNANSWERED = "unanswered"


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The video is there. `urls` is empty where the endpoint named none that could be read."""

    urls: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Failed:
    """There will be no video. `reason` is the endpoint's own, on one line."""

    reason: str


@dataclass(frozen=True, slots=True)
class UnderWay:
    """The task waits or runs."""


@dataclass(frozen=True, slots=True)
class Missing:
    """The endpoint does not know the task: not yet, or no more."""


@dataclass(frozen=True, slots=True)
class Unclear:
    """An answer that says nothing of the task which we understand."""


@dataclass(frozen=True, slots=True)
class HeldOff:
    """The endpoint takes no queries for now, or is away. `retry_after` is the wait that it asked for, in seconds."""

    reason: HeldOffReason
    retry_after: float | None = None


Ending = Succeeded | Failed
QueryResult = Ending | UnderWay | Missing | Unclear | HeldOff


class QueryClass(StrEnum):
    """The `result` label of `videogen_tracking_polls_total`."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNDER_WAY = "under_way"
    MISSING = "missing"
    UNCLEAR = "unclear"
    THROTTLED = "throttled"
    DENIED = "denied"
    UNANSWERED = "unanswered"


def query_class(result: QueryResult) -> QueryClass:
    """Name what a query came to."""
    match result:
        case Succeeded():
            return QueryClass.SUCCEEDED
        case Failed():
            return QueryClass.FAILED
        case UnderWay():
            return QueryClass.UNDER_WAY
        case Missing():
            return QueryClass.MISSING
        case Unclear():
            return QueryClass.UNCLEAR
        case HeldOff(reason=reason):
            return QueryClass(reason.value)


def read_query_answer(
    status: int, headers: Mapping[str, str], body: bytes | None, now: datetime, *, task_id: str, secret: str = ""
) -> QueryResult:
    """Tell what an answer says of its task. Never raises.

    Args:
        status: of the final response.
        headers: of the response, names in any case.
        body: with every content coding undone; None where it could not be read in full.
        now: when the answer arrived, for a `Retry-After` that is a date.
        task_id: of the task that was asked for.
        secret: text that a reason must not repeat, such as the API key.
    """
    if status in _SUCCESS:
        return _of_body(body, task_id, secret)
    if status in _MISSING:
        return Missing()
    if status in _THROTTLED:
        return HeldOff(HeldOffReason.THROTTLED, retry_after(headers, now))
    if status in _DENIED:
        return HeldOff(HeldOffReason.DENIED, retry_after(headers, now))
    if status in _CLIENT_ERROR and status != _NO_ANSWER:
        return Unclear()
    return HeldOff(HeldOffReason.UNANSWERED, retry_after(headers, now))


def _of_body(body: bytes | None, task_id: str, secret: str) -> QueryResult:
    task = _task(body)
    if task.get("task_id", task_id) != task_id:
        return Unclear()
    status = _status_of(task)
    if status == _SUCCEEDED:
        return Succeeded(tuple(dict.fromkeys(_urls(task)))[:_MOST_URLS])
    if status == _FAILED:
        reason = task.get("fail_reason")
        return Failed((fit(reason, secret) if isinstance(reason, str) else None) or NO_REASON)
    return UnderWay() if status in _UNDER_WAY else Unclear()


def _task(body: bytes | None) -> Mapping[str, object]:
    """Find the object that has the status of a task: what a gateway has wrapped into `data`, or the body."""
    try:
        outer = json.loads(body or b"")
    except (ValueError, RecursionError):
        return {}
    for layer in (outer.get("data"), outer) if isinstance(outer, dict) else ():
        if isinstance(layer, dict) and _status_of(layer) is not None:
            return layer
    return {}


def _status_of(layer: Mapping[str, object]) -> str | None:
    """Give the status of a task in this object. An end counts as it is written: `failure` may be a gateway's own."""
    said = layer.get("status")
    if not isinstance(said, str):
        return None
    word = said.strip()
    return word if word in _ENDS else word.upper() if word.upper() in _UNDER_WAY else None


def _urls(task: Mapping[str, object]) -> Iterator[str]:
    data = task.get("data")
    if not isinstance(data, dict):
        return
    outputs = data.get("outputs")
    for found in (data.get("output"), *(outputs if isinstance(outputs, list) else ())):
        if isinstance(found, str) and _is_web_address(found):
            yield found


def _is_web_address(text: str) -> bool:
    # A lone surrogate or a control character would break the message that has to carry it.
    return (
        text.lower().startswith(("http://", "https://"))
        and len(text) <= _LONGEST_URL
        and text.isprintable()
        and " " not in text
    )
