"""Instants as text."""

from datetime import UTC, datetime


def rfc3339(instant: datetime) -> str:
    """Write an instant as RFC 3339 in UTC with whole seconds, such as `2026-01-31T12:00:00Z`."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
