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


def test_it_is_settled_when_all_that_follows_is_good_taken_together() -> None:
    settled = settle_time([*calls(0, 8, 60), *calls(8, 30, 100)], 0, 30, LIMIT)
    # Of ten seconds, one at 60 still leaves 95 %.
    assert settled == 7.0


def test_what_is_good_at_once_has_settled_at_once() -> None:
    assert settle_time([*calls(5, 25, 100)], 5, 25, LIMIT) == 0


def test_a_short_dip_among_many_good_seconds_is_no_relapse_and_a_long_one_is() -> None:
    assert settle_time([*calls(0, 20, 100), *calls(20, 21, 50), *calls(21, 30, 100)], 0, 30, LIMIT) == 0
    assert settle_time([*calls(0, 20, 100), *calls(20, 24, 50), *calls(24, 35, 100)], 0, 35, LIMIT) != 0


def test_refused_calls_keep_it_from_having_settled() -> None:
    # Two of ten seconds with 20 refused are not yet 5 % of them.
    assert settle_time([*calls(0, 10, 100, 20), *calls(10, 30, 100)], 0, 30, LIMIT) == 7.5


def test_what_is_bad_at_the_end_never_settled() -> None:
    assert settle_time([*calls(0, 20, 100), *calls(20, 30, 50)], 0, 30, LIMIT) is None


def test_rows_of_several_workers_count_together() -> None:
    both = merged([[*calls(0, 5, 60)], [*calls(0, 5, 40)]])
    assert passed(both, 0, 5, LIMIT).share == pytest.approx(1.0)


@pytest.mark.parametrize(("counts", "farthest"), [([10, 10], 0.0), ([8, 10, 12], 0.2), ([30, 0], 1.0), ([0, 0], 1.0)])
def test_unevenness_is_the_distance_of_the_farthest_worker(counts: list[int], farthest: float) -> None:
    assert unevenness(counts) == pytest.approx(farthest)
