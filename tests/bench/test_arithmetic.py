import pytest

from tests.bench.arithmetic import percentile


def test_p99_of_a_hundred_values_is_the_last_but_one() -> None:
    assert percentile(range(100, 0, -1), 0.99) == 99


@pytest.mark.parametrize(("values", "median"), [([7], 7), ([1, 9], 1), ([3, 1, 2], 2)])
def test_half_of_all_values_do_not_exceed_p50(values: list[float], median: float) -> None:
    assert percentile(values, 0.5) == median


def test_without_values_there_is_no_percentile() -> None:
    assert percentile([], 0.5) is None
