"""Until when a request may be called (spec section 2)."""

import re
from datetime import UTC, datetime, timedelta

from service.core.contract import FieldProblem
from service.core.delivery import Delivery
from service.core.explanation import echo

DEADLINE_HEADER = "x-deadline"

# RFC 3339 section 5.6. `datetime.fromisoformat` alone also takes other forms, and times without an offset.
_RFC_3339 = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})", re.ASCII | re.IGNORECASE)
_LATEST = datetime.max.replace(tzinfo=UTC)
_EARLIEST = datetime.min.replace(tzinfo=UTC)


def deadline_of(delivery: Delivery) -> datetime | FieldProblem | None:
    """Find the deadline, in UTC: header `x-deadline`, else timestamp + expiration; None without either.

    The header is an RFC 3339 text or an AMQP timestamp. One that cannot be read is a problem: ignored, it could
    buy a video too late. Instants beyond the years 1 to 9999 become the nearest within them.
    """
    header = delivery.headers.get(DEADLINE_HEADER)
    if header is not None:
        return _header_deadline(header)
    if delivery.timestamp is None or delivery.expiration is None:
        return None
    return _later(_utc(delivery.timestamp), delivery.expiration)


def _header_deadline(header: object) -> datetime | FieldProblem:
    if isinstance(header, datetime):
        return _utc(header)
    text = header.decode("latin-1") if isinstance(header, bytes) else header
    deadline = _parse(text) if isinstance(text, str) else None
    if deadline is None:
        return FieldProblem(
            field=f"headers.{DEADLINE_HEADER}",
            message="must be an RFC 3339 date and time with its offset, such as 2026-01-31T12:00:00Z, "
            f"not {echo(text if isinstance(text, str) else str(header))}",
        )
    return deadline


def _parse(text: str) -> datetime | None:
    if not _RFC_3339.fullmatch(text):
        return None
    try:
        return _utc(datetime.fromisoformat(text.upper()))
    except ValueError:
        return None


def _utc(instant: datetime) -> datetime:
    if instant.tzinfo is None:
        # AMQP 0-9-1 timestamps are POSIX seconds.
        return instant.replace(tzinfo=UTC)
    try:
        return instant.astimezone(UTC)
    except OverflowError:
        return _EARLIEST if instant.year == _EARLIEST.year else _LATEST


def _later(start: datetime, span: timedelta) -> datetime:
    try:
        return start + span
    except OverflowError:
        return _LATEST
