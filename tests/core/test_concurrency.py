import pytest

from service.core.concurrency import Concurrency


def taught(most: int, seconds: float, calls: int = 200) -> Concurrency:
    concurrency = Concurrency(most)
    for _ in range(calls):
        concurrency.ended(seconds)
    return concurrency


@pytest.mark.parametrize(
    ("rate", "seconds", "limit"),
    [
        (20.0, 0.05, 21),  # places for a second's worth of starts
        (20.0, 2.0, 81),  # twice 20 * 2
        (300.0, 2.0, 1000),  # never above what the operator allows
        (0.1, 0.05, 2),
        (0.1, 30.0, 7),
    ],
)
def test_the_limit_is_twice_what_the_rate_needs_within_what_is_allowed(rate: float, seconds: float, limit: int) -> None:
    concurrency = taught(1000, seconds)
    concurrency.fit(rate)
    assert concurrency.limit == pytest.approx(limit, abs=1)


def test_without_a_known_rate_the_limit_is_what_the_operator_allows() -> None:
    concurrency = taught(64, 0.1)
    assert concurrency.limit == 64
    concurrency.fit(5.0)
    assert concurrency.limit < 64
    concurrency.fit(None)
    assert concurrency.limit == 64


def test_an_endpoint_that_became_slower_gets_more_calls_at_once() -> None:
    concurrency = taught(1000, 0.1)
    concurrency.fit(20.0)
    before = concurrency.limit

    for _ in range(before):
        concurrency.ended(10.0)
    concurrency.fit(20.0)

    assert concurrency.limit > 10 * before
