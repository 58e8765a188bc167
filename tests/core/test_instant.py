from datetime import UTC, datetime, timedelta, timezone

from service.core.instant import rfc3339


def test_an_instant_is_written_in_utc_with_whole_seconds() -> None:
    instant = datetime(2026, 1, 31, 13, 0, 0, 999_999, tzinfo=timezone(timedelta(hours=1)))

    assert rfc3339(instant) == "2026-01-31T12:00:00Z"


def test_a_reader_gets_the_same_instant_back() -> None:
    instant = datetime(2026, 1, 31, 12, 0, 5, tzinfo=UTC)

    assert datetime.fromisoformat(rfc3339(instant)) == instant
