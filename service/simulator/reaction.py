"""What the simulated endpoint does with one POST, as a value."""

from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus

from service.simulator.fate import DEFAULT, Fate, TaskEnd


class Shape(StrEnum):
    """The forms of an error body (endpoint facts, "Error bodies")."""

    NESTED = "nested"
    """`{"error": {"message", "type", "code"}}`"""
    FLAT = "flat"
    """`{"code", "message", "data": null}`"""
    VENDOR = "vendor"
    """`{"code", "message", "request_id"}`"""
    EMBEDDED = "embedded"
    """The vendor's JSON as a string inside `message` of the nested form."""


class Content(StrEnum):
    """What the answer's body holds."""

    JSON = "json"
    HTML = "html"
    NO_TASK_ID = "no-task-id"
    TRUNCATED = "truncated"
    BIG = "big"


class Ending(StrEnum):
    """How the exchange ends on the wire."""

    WHOLE = "whole"
    HALF = "half"
    CLOSE = "close"
    CLOSE_BEFORE = "close-before"
    RESET = "reset"
    RESET_BEFORE = "reset-before"


SILENT_ENDINGS = frozenset({Ending.CLOSE, Ending.CLOSE_BEFORE, Ending.RESET, Ending.RESET_BEFORE})
"""Endings without a single byte of answer."""

_BEFORE = frozenset({Ending.CLOSE_BEFORE, Ending.RESET_BEFORE})
_DOUBTFUL_STATUSES = frozenset({408, 502, 504, 520, 522, 524})
# The upstream had answered, and the gateway could not read it (endpoint facts, "Error bodies").
_DOUBTFUL_CODES = frozenset(
    {"read_response_body_failed", "unmarshal_response_body_failed", "invalid_response", "RequestTimeOut"}
)


@dataclass(frozen=True, slots=True)
class DateIn:
    """A `Retry-After` as HTTP date (RFC 9110 section 10.2.3), `seconds` after the answer; negative: past."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Reaction:
    """One treatment of one POST; the defaults accept it.

    `latency` in seconds replaces the general one; `hold` waits for a release, `hang` for ever. `retry_after`
    and `retry_after_ms` are sent word for word. `charged`: accepted, although the answer says otherwise. `task_end`,
    `task_seconds` and `fail_reason` are what becomes of the task.
    """

    status: int = 200
    code: str | None = None
    message: str | None = None
    shape: Shape = Shape.NESTED
    retry_after: str | DateIn | None = None
    retry_after_ms: str | None = None
    content: Content = Content.JSON
    task_id_under: str | None = None
    ending: Ending = Ending.WHOLE
    latency: float | None = None
    hold: bool = False
    hang: bool = False
    charged: bool = False
    task_end: TaskEnd = TaskEnd.SUCCEEDS
    task_seconds: float | None = None
    fail_reason: str = ""

    @property
    def fate(self) -> Fate:
        """What becomes of the task, where one is made."""
        return Fate(self.task_end, self.task_seconds, self.fail_reason) if self.tells_of_a_task else DEFAULT

    @property
    def tells_of_a_task(self) -> bool:
        """Whether anything is said about the task."""
        return self.task_end is not TaskEnd.SUCCEEDS or self.task_seconds is not None

    @property
    def is_error(self) -> bool:
        """Whether the answer's body is an error: by its status, or a failure behind a 200."""
        return self.status >= HTTPStatus.MULTIPLE_CHOICES or self.code is not None or self.message is not None

    @property
    def accepts(self) -> bool:
        """Whether a task is made, and so charged. A lost answer does not undo it."""
        if self.ending in _BEFORE:
            return False
        return self.charged or not (self.is_error or self.content is Content.HTML)

    @property
    def tells_task_id(self) -> bool:
        """Whether a client can read the task id from the answer."""
        return (
            not self.is_error
            and self.accepts
            and self.content in {Content.JSON, Content.BIG}
            and self.ending is Ending.WHOLE
        )

    @property
    def could_be_accepted(self) -> bool:
        """Whether a client must reckon with a task, by what it gets to see; then a second POST is one too many.

        The classes of spec section 3. In cases that depend on how a client reads a code, the answer is no.
        """
        if self.ending is not Ending.WHOLE:
            return True
        if self.code:
            return self.code in _DOUBTFUL_CODES
        if self.status < HTTPStatus.MULTIPLE_CHOICES:
            return not self.is_error
        if self.status == HTTPStatus.INTERNAL_SERVER_ERROR:
            return self.content in {Content.HTML, Content.TRUNCATED}
        return self.status in _DOUBTFUL_STATUSES


ACCEPT = Reaction()
