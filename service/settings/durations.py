"""Durations as people write them in settings."""

import re
from typing import Annotated

from pydantic import BeforeValidator, Field

MINUTE = 60.0
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_UNITS = {"ms": 0.001, "s": 1.0, "m": MINUTE, "h": HOUR, "d": DAY}
_PATTERN = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)?")


def parse_duration(text: str) -> float:
    """Read `30`, `0.5`, `250ms`, `30s`, `5m`, `6h` or `7d` as seconds.

    Raises:
        ValueError: the text is none of these.
    """
    match = _PATTERN.fullmatch(text.strip())
    if match is None:
        raise ValueError(
            "this is no duration; write seconds (30, 0.5), or a number with ms, s, m, h or d (250ms, 30s, 5m, 6h, 7d)"
        )
    number, unit = match.groups()
    return float(number) * _UNITS[unit or "s"]


def format_duration(seconds: float) -> str:
    """Write seconds the way a setting takes them."""
    return f"{seconds:.10g}s"


def _text_to_seconds(value: object) -> object:
    return parse_duration(value) if isinstance(value, str) else value


Duration = Annotated[float, BeforeValidator(_text_to_seconds), Field(gt=0, allow_inf_nan=False)]
"""Seconds, more than none."""
