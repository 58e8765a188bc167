"""The tables of errors: codes in results, and what an answer of the endpoint means to the worker."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import pairwise

from service.core.call import Answer, ResultClass, result_class
from service.core.classification import classify
from service.core.error_codes import _CODES, Meaning
from service.core.outcome import (
    BlockedOut,
    Defect,
    Expired,
    Failure,
    Handled,
    InDoubt,
    Invalid,
    Malformed,
    RateLimited,
    Rejected,
    Unavailable,
)
from service.core.result import MEANINGS, ErrorCode, ResultError
from service.core.settlement import ReplyDeadLetterThenAck, settle
from tests.docs.tables.markdown import code, sentence, table

_NOW = datetime(2026, 1, 1, tzinfo=UTC)
_ANSWER = Answer()
FAILURES: tuple[Failure, ...] = (
    Malformed("no JSON"),
    Invalid(()),
    Expired(_NOW, 0),
    Rejected(_ANSWER, 1),
    RateLimited(_ANSWER, 1),
    Unavailable(_ANSWER, 1),
    BlockedOut(_ANSWER, 1),
    InDoubt(_ANSWER, 1),
    Defect(called=True),
    Defect(called=False),
)
_STATUSES = range(200, 600)
_BODIES = (b"", json.dumps({"error": {"message": "no"}}).encode())
_MEANT = {
    Meaning.UNCERTAIN: ResultClass.UNCERTAIN,
    Meaning.BLOCKED: ResultClass.BLOCKED,
    Meaning.FORBIDDEN: ResultClass.REFUSED_FOR_GOOD,
    Meaning.FOR_GOOD: ResultClass.REFUSED_FOR_GOOD,
    Meaning.THROTTLED: ResultClass.REFUSED_FOR_NOW,
    Meaning.FOR_NOW: ResultClass.REFUSED_FOR_NOW,
}


def error_codes_table() -> str:
    """Build the table of error codes, as the settlement of each failure writes them."""
    errors = [_error(failure) for failure in FAILURES]
    return table(
        ("`error.code`", "when", "`retryable`", "`charged`"),
        (_code_row(each, [error for error in errors if error.code is each]) for each in ErrorCode),
    )


def _code_row(each: ErrorCode, errors: Iterable[ResultError]) -> tuple[str, str, str, str]:
    retryable = _words("yes" if error.retryable else "no" for error in errors)
    return code(each), sentence(MEANINGS[each]), retryable, _words(error.charged for error in errors)


def _error(failure: Failure) -> ResultError:
    settlement = settle(Handled(failure), "request", _NOW)
    assert isinstance(settlement, ReplyDeadLetterThenAck)
    return settlement.result.error


def _words(values: Iterable[str]) -> str:
    return " or ".join(dict.fromkeys(values))


def answers_table() -> str:
    """Build the table of statuses, for answers without a code that the worker knows."""
    meant = {status: tuple(_class(status, body) for body in _BODIES) for status in _STATUSES}
    rows: list[tuple[str, ...]] = []
    for hundred in range(_STATUSES.start, _STATUSES.stop, 100):
        found = {status: meant[status] for status in range(hundred, hundred + 100)}
        usual, _ = Counter(found.values()).most_common(1)[0]
        exceptions: dict[tuple[ResultClass, ...], list[int]] = {}
        for status, classes in found.items():
            if classes != usual:
                exceptions.setdefault(classes, []).append(status)
        rows += [(_ranges(statuses), *map(code, classes)) for classes, statuses in exceptions.items()]
        rows.append((f"{'other ' if exceptions else ''}{hundred // 100}xx", *map(code, usual)))
    return table(("HTTP status", "no JSON object", "a JSON object with an error"), rows)


def _class(status: int, body: bytes) -> ResultClass:
    return result_class(classify(status, {}, body, _NOW))


def _ranges(numbers: list[int]) -> str:
    """Write ascending numbers, and three or more in a row as one range."""
    breaks = [0, *(at for at, (low, high) in enumerate(pairwise(numbers), start=1) if high != low + 1), len(numbers)]
    runs = [numbers[begin:end] for begin, end in pairwise(breaks)]
    return ", ".join(f"{run[0]} to {run[-1]}" if len(run) > len("ab") else ", ".join(map(str, run)) for run in runs)


def upstream_codes_table() -> str:
    """Build the table of the endpoint's own codes, in the order in which they are looked up."""
    return table(("class", "codes of the endpoint"), _upstream_rows())


def _upstream_rows() -> Iterator[tuple[str, str]]:
    for meaning, patterns in _CODES:
        note = "; five in a row count as `blocked`" if meaning is Meaning.FORBIDDEN else ""
        yield code(_MEANT[meaning]) + note, ", ".join(map(code, patterns))
