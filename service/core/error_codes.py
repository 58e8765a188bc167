"""What the endpoint's error codes mean: endpoint facts, error table, as data."""

import re
from enum import Enum, auto
from fnmatch import translate


class Meaning(Enum):
    """What an error code, a phrase or a status says about the request."""

    BLOCKED = auto()
    FORBIDDEN = auto()
    FOR_GOOD = auto()
    THROTTLED = auto()
    FOR_NOW = auto()
    NOT_SENT = auto()
    UNCERTAIN = auto()


# The first pattern that matches counts, so quota codes stand before the throttling family.
_CODES: tuple[tuple[Meaning, tuple[str, ...]], ...] = (
    (
        Meaning.UNCERTAIN,
        # The upstream had answered, and the gateway could not read it or keep it; or it answered too late.
        (
            "read_response_body_failed",
            "unmarshal_response_body_failed",
            "invalid_response",
            "insert_task_failed",
            "requesttimeout",
            "*.timeout",
        ),
    ),
    (
        Meaning.BLOCKED,
        (
            "insufficient_user_quota",
            "pre_consume_token_quota_failed",
            "arrearage",
            "*billoverdue",
            "commoditynotpurchased",
            "*allocationquota.freetieronly",
            "insufficient_quota",
        ),
    ),
    (Meaning.FORBIDDEN, ("accessdenied*", "*.accessdenied*")),
    (
        Meaning.FOR_GOOD,
        (
            "invalidparameter*",
            "invalid_parameter*",
            "invalidurl*",
            "badrequest.*",
            "invalid_request_error",
            "modelnotfound",
            "model_not_found",
            "datainspectionfailed*",
            "data_inspection_failed*",
            "ipinfringementsuspect",
            "build_request_failed",
        ),
    ),
    (Meaning.THROTTLED, ("throttling*", "limit_requests")),
    (
        Meaning.FOR_NOW,
        ("do_request_failed", "internalerror*", "systemerror", "modelservingerror", "modelunavailable"),
    ),
)
_PATTERNS = tuple((re.compile(translate(pattern)), meaning) for meaning, patterns in _CODES for pattern in patterns)
_PHRASES = (("free allocated quota exceeded", Meaning.BLOCKED), ("invalid size", Meaning.FOR_GOOD))
# One code has two uses: out of money, and too fast.
_RATE_OR_MONEY = "insufficient_quota"
_PER_MINUTE = re.compile(r"\b(requests?|tokens?)[\s_-]*(per|/)[\s_-]*min(ute)?\b|\b[rt]pm\b", re.IGNORECASE)


def code_meaning(code: str, message: str) -> Meaning | None:
    """Look up a code, whatever its case; None where it is unknown.

    `message` decides `insufficient_quota`: too fast where it speaks of requests or tokens per minute, else
    out of money.
    """
    code = code.lower()
    if code == _RATE_OR_MONEY and _PER_MINUTE.search(message):
        return Meaning.THROTTLED
    return next((meaning for pattern, meaning in _PATTERNS if pattern.match(code)), None)


def phrase_meaning(message: str) -> Meaning | None:
    """Look for a phrase that says more than the code beside it."""
    message = message.lower()
    return next((meaning for phrase, meaning in _PHRASES if phrase in message), None)
