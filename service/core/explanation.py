"""Pydantic's validation errors as sentences a person can act on."""

import json
from collections.abc import Iterator, Mapping

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from service.core.suggestion import close_names

Place = tuple[int | str, ...]

_LONGEST_ECHO = 60


def explained(failure: ValidationError, fields: Mapping[str, FieldInfo]) -> Iterator[tuple[Place, str]]:
    """Tell where each error is and what to do about it.

    A sentence follows the name of its field: `watermark: must be true or false, not "yes"`. What a field must
    be is its description in `fields`. A rule of our own, raised as ValueError, speaks for itself.
    """
    for error in failure.errors(include_url=False):
        place: Place = error["loc"]
        match error["type"]:
            case "value_error":
                yield place, str(error["ctx"]["error"])
            case "missing":
                yield place, f"is required: give {_wanted(place, fields)}"
            case "extra_forbidden":
                yield place, _unknown(str(place[-1]), fields)
            case _:
                yield place, f"must be {_wanted(place, fields)}, not {echo(error['input'])}"


def echo(value: object) -> str:
    """Write a JSON value as it was sent, never longer than 60 characters."""
    match value:
        case dict():
            return "an object"
        case list() | tuple():
            return "an array"
        case str():
            head = value[:_LONGEST_ECHO]
            # Some line breaks and invisible characters need no escape in JSON, but do in a message.
            return _shortened(json.dumps(head, ensure_ascii=not head.isprintable()))
        case _:
            return _shortened(json.dumps(value))


def named(part: int | str) -> str:
    """Write the name of a field on one line, never longer than 60 characters."""
    return echo(str(part)).removeprefix('"').removesuffix('"')


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_ECHO else f"{text[: _LONGEST_ECHO - 1]}…"


def _wanted(place: Place, fields: Mapping[str, FieldInfo]) -> str:
    names = [part for part in place if isinstance(part, str)]
    if not names:
        return "an object"
    description = fields[names[-1]].description or "of another kind"
    # The description of a list reads "a list, each item a name".
    return description if place[-1] == names[-1] else description.rpartition("each item ")[2]


def _unknown(name: str, fields: Mapping[str, FieldInfo]) -> str:
    meant = close_names(name, fields, limit=1)
    return f"is no known field: did you mean {meant[0]}?" if meant else "is no known field: remove it"
