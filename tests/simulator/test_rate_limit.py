import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.simulator.rate_limit import TokenBucket


def test_the_bucket_starts_full_and_then_tells_the_wait() -> None:
    bucket = TokenBucket(rate=2, burst=3)
    assert [bucket.take(0.0) for _ in range(4)] == [None, None, None, 0.5]


def test_the_burst_is_one_seconds_worth_unless_given() -> None:
    bucket = TokenBucket(rate=2.5)
    assert [bucket.take(0.0) is None for _ in range(4)] == [True, True, True, False]


def test_an_idle_bucket_holds_no_more_than_the_burst() -> None:
    bucket = TokenBucket(rate=10, burst=1)
    bucket.take(0.0)
    assert [bucket.take(3600.0) is None for _ in range(2)] == [True, False]


@given(rate=st.floats(0.1, 1000), taken=st.integers(0, 20))
def test_who_waits_as_told_gets_a_token(rate: float, taken: int) -> None:
    bucket, now = TokenBucket(rate), 0.0
    for _ in range(taken):
        bucket.take(now)
    while (wait := bucket.take(now)) is None:
        pass
    assert bucket.take(now + wait) is None


@given(rate=st.floats(0.5, 100), burst=st.integers(1, 10), gaps=st.lists(st.floats(0, 5), max_size=50))
def test_no_more_pass_than_burst_and_rate_allow(rate: float, burst: int, gaps: list[float]) -> None:
    bucket, now, passed = TokenBucket(rate, burst), 0.0, 0
    for gap in gaps:
        now += gap
        passed += bucket.take(now) is None
    assert passed <= burst + rate * now + 1e-6


@pytest.mark.parametrize(("rate", "burst"), [(0.0, None), (-1.0, None), (1.0, 0)])
def test_limits_that_let_nothing_pass_are_refused(rate: float, burst: int | None) -> None:
    with pytest.raises(ValueError, match="must be"):
        TokenBucket(rate, burst)
