"""The parts of `docs/` that are made from the code; `python -m tests.docs.generated` makes them anew.

Such a part stands between two comments, `<!-- generated: NAME WORDS -->` and `<!-- end of generated -->`.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.docs.tables.decisions import decisions_list
from tests.docs.tables.errors import answers_table, error_codes_table, upstream_codes_table
from tests.docs.tables.messages import (
    error_fields_table,
    properties_table,
    request_fields_table,
    result_fields_table,
    undelivered_table,
)
from tests.docs.tables.metrics import metrics_table
from tests.docs.tables.retries import backoff_table, tiers_table
from tests.docs.tables.settings import settings_table

DOCS = Path(__file__).parents[2] / "docs"
RENEWAL = "make tables"
PARTS: Mapping[str, Callable[..., str]] = {
    "settings": settings_table,
    "metrics": metrics_table,
    "request-fields": request_fields_table,
    "result-fields": result_fields_table,
    "error-fields": error_fields_table,
    "properties": properties_table,
    "undelivered": undelivered_table,
    "error-codes": error_codes_table,
    "answers": answers_table,
    "upstream-codes": upstream_codes_table,
    "backoff": backoff_table,
    "tiers": tiers_table,
    "decisions": decisions_list,
}

_BEGIN = re.compile(r"^<!-- generated: (?P<name>[\w-]+)(?P<words>(?: [\w-]+)*) -->$", re.MULTILINE)
_END = "<!-- end of generated -->"


class MarkerError(Exception):
    """A comment of a page cannot be followed; the message says which and what to do."""


def pages() -> list[Path]:
    """List the pages that have generated parts."""
    return [page for page in sorted(DOCS.rglob("*.md")) if _BEGIN.search(page.read_text(encoding="utf-8"))]


def named(text: str) -> list[str]:
    """Name the parts of a page, in order."""
    return [found["name"] for found in _BEGIN.finditer(text)]


def renewed(text: str) -> str:
    """Write every generated part of a page anew.

    Raises:
        MarkerError: a part is not known, or has no end.
    """
    done, rest = "", text
    while begin := _BEGIN.search(rest):
        inside, end, after = rest[begin.end() :].partition(_END)
        if not end or _BEGIN.search(inside):
            raise MarkerError(f"{begin[0]} has no end; write {_END} below its table")
        done += f"{rest[: begin.end()]}\n\n{_part(begin)}\n\n{_END}"
        rest = after
    return done + rest


def _part(begin: re.Match[str]) -> str:
    build = PARTS.get(begin["name"])
    if build is None:
        raise MarkerError(f"{begin[0]} is not known; name one of {', '.join(PARTS)}")
    return build(*begin["words"].split())


def renew() -> None:
    """Write every page anew."""
    for page in pages():
        page.write_text(renewed(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    renew()
