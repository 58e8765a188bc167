"""Tables in Markdown."""

from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table; a bar in a cell is escaped."""
    return "\n".join([_row(head), "|" + "---|" * len(head), *map(_row, rows)])


def _row(cells: Sequence[str]) -> str:
    return "".join(f"| {text} " if (text := cell.replace("|", "\\|")) else "| " for cell in cells) + "|"


def code(text: str) -> str:
    """Write text as code."""
    return f"`{text}`"


def listed(values: Iterable[str], last: str = "or") -> str:
    """Write values as code, in words: `a`, `b` or `c`."""
    *most, end = map(code, values)
    return f"{', '.join(most)} {last} {end}" if most else end


def sentence(text: str) -> str:
    """Begin a description with a capital letter, unless it begins with an address, and end it with a full stop."""
    first = text[:1] if "://" in text.split(maxsplit=1)[0] else text[:1].upper()
    return f"{first}{text[1:].rstrip('.')}."
