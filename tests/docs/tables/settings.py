"""The tables of settings: name, default, and what the code says of each."""

from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any, get_args

import annotated_types
from pydantic import BeforeValidator, ByteSize, SecretStr
from pydantic.fields import FieldInfo

from service.settings.names import NAMES, Name
from tests.docs.tables.markdown import code, listed, sentence, table

KIB = 1024
_SPANS = ((86_400, "d"), (3_600, "h"))


def settings_table(*groups: str) -> str:
    """Build one table for the settings of `groups`, or for a setting outside any group by its own name."""
    names = [name for group in groups for name in NAMES.values() if name.path[0] == group]
    if not names:
        raise ValueError(f"no setting belongs to {groups}; name groups of service/settings/groups.py")
    return table(
        ("Setting", "Default", "Meaning"), ((code(name.full), _default(name), _meaning(name)) for name in names)
    )


def _default(name: Name) -> str:
    if name.field.is_required():
        return "required"
    value = name.field.default
    return "none" if value is None else code(_written(name.field, value))


def _meaning(name: Name) -> str:
    said = name.field.description or ""
    more = [part for part in (_choices(name.field, said), _bounds(name.field)) if part]
    secret = " Secret." if name.secret else ""
    return sentence("; ".join([said.rstrip("."), *more])) + secret


def _choices(field: FieldInfo, said: str) -> str:
    kind = field.annotation
    if not (isinstance(kind, type) and issubclass(kind, Enum)):
        return ""
    values = [str(member.value) for member in kind]
    return "" if all(code(value) in said for value in values) else listed(values)


def _bounds(field: FieldInfo) -> str:
    """Write what the value must keep to; that a duration is more than 0 is said once for all of them."""
    rules: dict[type, Any] = {type(rule): rule for rule in _rules(field)}
    low, high = rules.get(annotated_types.Ge), rules.get(annotated_types.Le)
    above = rules.get(annotated_types.Gt)
    whole = "whole seconds, " if _is_duration(field) and annotated_types.MultipleOf in rules else ""
    if low is not None and high is not None:
        return f"{whole}{_written(field, low.ge)} to {_written(field, high.le)}"
    parts = [f"above {_written(field, above.gt)}"] if above is not None and not _is_duration(field) else []
    if high is not None:
        parts.append(f"at most {_written(field, high.le)}")
    return ", ".join(parts)


def _rules(field: FieldInfo) -> Iterator[object]:
    yield from field.metadata
    # `Annotated[float, Field(...)] | None` keeps its rules inside.
    for part in get_args(field.annotation):
        for inner in getattr(part, "__metadata__", ()):
            yield from inner.metadata if isinstance(inner, FieldInfo) else (inner,)


def _is_duration(field: FieldInfo) -> bool:
    return field.annotation is float and any(isinstance(rule, BeforeValidator) for rule in field.metadata)


def _written(field: FieldInfo, value: object) -> str:
    """Write a value the way a setting takes it."""
    match value:
        case SecretStr():
            return value.get_secret_value()
        case bool():
            return str(value).lower()
        case Enum() | Path():
            return str(getattr(value, "value", value))
        case tuple():
            return ",".join(part.name for part in value)
        case int() | float() if field.annotation is ByteSize:
            return _size(int(value))
        case int() | float() if _is_duration(field):
            return _span(float(value))
        case _:
            return f"{value:.10g}" if isinstance(value, float) else str(value)


def _size(count: int) -> str:
    return f"{count // KIB**2}MiB" if count % KIB**2 == 0 else f"{count // KIB}KiB"


def _span(seconds: float) -> str:
    for length, unit in _SPANS:
        if seconds % length == 0:
            return f"{seconds / length:.10g}{unit}"
    return f"{seconds / 60:.10g}m" if seconds > 60 and seconds % 60 == 0 else f"{seconds:.10g}s"
