"""What a run showed, as one table and as JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Figures:
    """One line of the table. `more` is for what one test alone measures."""

    test: str
    ledger: str
    broker: str
    requests: int
    faults: str
    lost: int
    paid_twice: int
    repeated: int
    uncertain: int
    seconds: float
    seed: int
    more: Mapping[str, float] = field(default_factory=dict)


_HEADINGS = {
    "test": "test",
    "ledger": "ledger",
    "broker": "broker",
    "requests": "requests",
    "faults": "faults",
    "lost": "lost",
    "paid_twice": "paid twice",
    "repeated": "repeated",
    "uncertain": "uncertain",
    "seconds": "seconds",
    "seed": "seed",
}
_LONGEST = 60
_TEXTS = frozenset({"test", "ledger", "broker", "faults"})


def table(rows: Sequence[Figures]) -> list[str]:
    """Lay the figures out in columns."""
    cells = [tuple(_HEADINGS.values()), *(tuple(_cell(row, name) for name in _HEADINGS) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(_HEADINGS))]
    lines = ["  ".join(_aligned(*each) for each in zip(_HEADINGS, line, widths, strict=True)) for line in cells]
    extras = [f"{_sentence(row.test)}: {_more(row)}" for row in rows if row.more]
    return [line.rstrip() for line in (*lines, *extras)]


def write_report(path: Path, rows: Sequence[Figures]) -> None:
    path.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n")


def _cell(row: Figures, name: str) -> str:
    value = getattr(row, name)
    if name == "test":
        return _sentence(row.test)
    return f"{value:.1f}" if isinstance(value, float) else str(value)


def _sentence(test: str) -> str:
    words = test.removeprefix("test_").partition("[")[0].replace("_", " ")
    return words if len(words) <= _LONGEST else words[: _LONGEST - 1] + "…"


def _aligned(name: str, text: str, width: int) -> str:
    return text.ljust(width) if name in _TEXTS else text.rjust(width)


def _more(row: Figures) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in row.more.items())
