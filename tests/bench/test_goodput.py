from collections.abc import Iterator

import pytest

from tests.bench.goodput import Row, merged, passed, settle_time, unevenness

LIMIT = 100.0


def calls(begin: float, end: float, accepted: float, refused: float = 0.0) -> Iterator[Row]:
    """Give rows of a tenth of a second, for so many calls in each second."""
    for slot in range(round((end - begin) * 10)):
        yield begin + slot / 10, round(accepted / 10), round(refused / 10)


def test_goodput_is_a_share_of_what_the_limit_allows_in_the_same_time() -> None:
    share = passed([*calls(0, 10, 50), *calls(10, 20, 90, 10)], 10, 20, LIMIT)
    assert share.share == pytest.approx(0.9)
    assert share.refused_share == pytest.approx(0.1)


def test_a_span_without_calls_has_no_goodput() -> None:
    assert passed([], 0, 5, LIMIT).share == 0
    assert not passed([], 0, 5, LIMIT).good


def test_refused_calls_spoil_a_full_goodput() -> None:
    assert passed([*calls(0, 5, 100)], 0, 5, LIMIT).good
    assert not passed([*calls(0, 5, 100, 10)], 0, 5, LIMIT).good


def test_it_is_settled_when_the_next_five_seconds_are_good() -> None:
    rows = [*calls(0, 8, 60), *calls(8, 30, 100)]
    settled = settle_time(rows, 0, 30, LIMIT)
    # Of five seconds, half a one at 60 still leaves 96 %.
    assert settled == 7.5


def test_what_is_good_at_once_has_settled_at_once() -> None:
    assert settle_time([*calls(5, 25, 100)], 5, 25, LIMIT) == 0


def test_it_has_not_settled_before_a_relapse() -> None:
    rows = [*calls(0, 10, 100), *calls(10, 12, 20), *calls(12, 30, 100)]
    settled = settle_time(rows, 0, 30, LIMIT)
    assert settled is not None
    assert 11 <= settled <= 12


def test_what_is_bad_at_the_end_never_settled() -> None:
    assert settle_time([*calls(0, 20, 100), *calls(20, 30, 50)], 0, 30, LIMIT) is None


def test_rows_of_several_workers_count_together() -> None:
    both = merged([[*calls(0, 5, 60)], [*calls(0, 5, 40)]])
    assert passed(both, 0, 5, LIMIT).share == pytest.approx(1.0)


@pytest.mark.parametrize(("counts", "farthest"), [([10, 10], 0.0), ([8, 10, 12], 0.2), ([30, 0], 1.0), ([0, 0], 1.0)])
def test_unevenness_is_the_distance_of_the_farthest_worker(counts: list[int], farthest: float) -> None:
    assert unevenness(counts) == pytest.approx(farthest)
