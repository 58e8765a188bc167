"""Keeps secrets and payloads out of log lines, whoever wrote them."""

import re
import traceback
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote

from structlog.typing import EventDict, Processor, WrappedLogger

from service.settings import MASK

# A shorter secret turns up inside ordinary words and ids, where a mask would ruin the line and give the secret away.
_SHORTEST_SECRET = 8
# Ours by construction, and what an operator searches for. The `event` of a library is its whole message.
_NEVER_SECRET = frozenset({"task_id", "request_id", "correlation_id"})

# Libraries show frames and messages with `repr`, body included.
_BYTES_LITERAL = r"""\bb(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""


class Secrets:
    """The texts to mask, as they are and as a URL carries them; more can be learned while the process runs.

    Those of less than 8 characters are left out.
    """

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._texts = {form for text in texts if len(text) >= _SHORTEST_SECRET for form in _forms(text)}
        self._compile()

    @property
    def pattern(self) -> re.Pattern[str]:
        """Whatever is to be masked: the secrets, and bytes literals."""
        return self._pattern

    def learn(self, text: str) -> None:
        """Mask one more text from now on."""
        if len(text) >= _SHORTEST_SECRET:
            self._texts.update(_forms(text))
            self._compile()

    def _compile(self) -> None:
        longest_first = sorted(self._texts, key=len, reverse=True)
        self._pattern = re.compile("|".join([*map(re.escape, longest_first), _BYTES_LITERAL]))


def _forms(text: str) -> tuple[str, str]:
    return text, quote(text, safe="")


def redact(secrets: Secrets, *, ours: bool) -> Processor:
    """Make a structlog processor that masks `secrets` and bytes literals in the values of an event.

    `ours`: the events are the worker's own, and not a library's.

    This is the second line of defence: no fact holds a secret. What `secrets` leaves out is left to the first.
    """
    kept = _NEVER_SECRET | {"event"} if ours else frozenset[str]()

    def processor(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        pattern = secrets.pattern
        return {
            key: value if key.startswith("_") or key in kept else _clean(value, pattern) for key, value in event.items()
        }

    return processor


def _clean(value: object, pattern: re.Pattern[str]) -> object:
    match value:
        case None | bool() | int() | float():
            return value
        case str():
            return pattern.sub(MASK, value)
        case Mapping():
            return {pattern.sub(MASK, str(key)): _clean(item, pattern) for key, item in value.items()}
        case list() | tuple():
            return [_clean(item, pattern) for item in value]
        case _:
            return pattern.sub(MASK, repr(value))


def traceback_without_messages(error: BaseException) -> str:
    """Format the frames and types of an exception and of what led to it.

    Messages are left out: they may quote the payload, as those of pydantic do. Frames show the source line.
    """
    return "".join(_traceback(error, set())).rstrip()


def _traceback(error: BaseException, seen: set[int]) -> Iterator[str]:
    seen.add(id(error))
    earlier = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if earlier is not None and id(earlier) not in seen:
        yield from _traceback(earlier, seen)
        yield "\nwhich led to:\n\n"
    yield "Traceback (most recent call last):\n"
    yield from traceback.format_tb(error.__traceback__)
    yield f"{type(error).__module__}.{type(error).__qualname__}\n"
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions:
            yield "\nin this group:\n\n"
            yield from _traceback(part, seen)
