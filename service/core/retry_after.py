"""The wait that a server asks for (RFC 9110 section 10.2.3)."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

# Longer waits are kept as this one: no caller waits a day, and sums of it stay finite.
LONGEST = timedelta(days=1).total_seconds()

_NUMBER = re.compile(r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)", re.ASCII)
_TIME = r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>[0-5]\d|60)"
_MONTH = r"(?P<month>[A-Z][a-z]{2})"
_YEAR = r"(?P<century>\d\d)(?P<year>\d\d)"
_SHORT_YEAR = r"(?P<century>)(?P<year>\d\d)"
# RFC 9110 section 5.6.7: one form to send, two old ones that every recipient must still read.
_HTTP_DATES = tuple(
    re.compile(form, re.ASCII)
    for form in (
        rf"[A-Z][a-z]{{2}}, (?P<day>\d\d) {_MONTH} {_YEAR} {_TIME} GMT",
        rf"[A-Z][a-z]{{5,8}}, (?P<day>\d\d)-{_MONTH}-{_SHORT_YEAR} {_TIME} GMT",
        rf"[A-Z][a-z]{{2}} {_MONTH} (?P<day>[ \d]\d) {_TIME} {_YEAR}",
    )
)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Read `retry-after-ms`, a number, else `Retry-After`: seconds, a fraction of them, or an HTTP date.

    Returns:
        Seconds from `now`, 0 for a date in the past, at most `LONGEST`; None where nothing readable stands.
    """
    lowered = {name.lower(): value.strip() for name, value in headers.items()}
    milliseconds = _number(lowered.get("retry-after-ms", ""))
    if milliseconds is not None:
        return min(milliseconds / 1000, LONGEST)
    asked = lowered.get("retry-after", "")
    seconds = _number(asked)
    if seconds is None and (date := _http_date(asked, now)):
        seconds = max(0.0, (date - now).total_seconds())
    return None if seconds is None else min(seconds, LONGEST)


def _number(text: str) -> float | None:
    return float(text) if _NUMBER.fullmatch(text) else None


def _http_date(text: str, now: datetime) -> datetime | None:
    found = next(filter(None, (form.fullmatch(text) for form in _HTTP_DATES)), None)
    if found is None or found["month"] not in _MONTHS:
        return None
    day, hour, minute, second = (int(found[part]) for part in ("day", "hour", "minute", "second"))
    month = _MONTHS.index(found["month"]) + 1
    try:
        # A leap second is 60, which datetime does not know.
        return datetime(_year(found, now), month, day, hour, minute, min(second, 59), tzinfo=UTC)
    except ValueError:
        return None


def _year(found: re.Match[str], now: datetime) -> int:
    if found["century"]:
        return int(found["century"] + found["year"])
    # RFC 9110 section 5.6.7: two digits that seem more than 50 years ahead name a year in the past.
    year = now.year - now.year % 100 + int(found["year"])
    return year - 100 if year > now.year + 50 else year
