from datetime import UTC, datetime, timedelta
from uuid import UUID

from service.adapters.system import SystemClock, new_id, uniform


def test_the_clock_tells_utc() -> None:
    now = SystemClock().now()
    assert now.tzinfo is UTC
    assert abs(datetime.now(UTC) - now) < timedelta(minutes=1)


def test_monotonic_time_never_goes_back() -> None:
    clock = SystemClock()
    readings = [clock.monotonic() for _ in range(100)]
    assert readings == sorted(readings)


def test_every_id_is_a_new_uuid() -> None:
    ids = {new_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(UUID(text).version == 4 for text in ids)


def test_draws_lie_between_0_and_1_and_differ() -> None:
    draws = [uniform() for _ in range(1000)]
    assert all(0 <= draw < 1 for draw in draws)
    assert min(draws) < 0.1
    assert max(draws) > 0.9
