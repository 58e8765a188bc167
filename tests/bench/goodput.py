"""What came through under a rate limit, and how soon it settles after the limit changed."""

from collections.abc import Sequence
from dataclasses import dataclass

GOOD_SHARE = 0.95
REFUSED_SHARE = 0.05
_SHORTEST = 10.0
_STEP = 0.5

Row = tuple[float, int, int]
"""An instant, and how many calls were accepted and refused in the slot that begins then."""


@dataclass(frozen=True, slots=True)
class Passed:
    """Calls in a span of time; `share` is of what the limit allows in it."""

    share: float
    refused_share: float

    @property
    def good(self) -> bool:
        return self.share >= GOOD_SHARE and self.refused_share <= REFUSED_SHARE


def passed(rows: Sequence[Row], begin: float, end: float, limit: float) -> Passed:
    """Count what came through from `begin` up to `end`."""
    accepted = sum(yes for at, yes, _ in rows if begin <= at < end)
    refused = sum(no for at, _, no in rows if begin <= at < end)
    return Passed(accepted / (limit * (end - begin)), refused / (accepted + refused) if accepted + refused else 0.0)


def settle_time(rows: Sequence[Row], change: float, end: float, limit: float) -> float | None:
    """Tell after how many seconds all is well: in the ten that follow, and in all up to `end`; None where it never is.

    All is well when enough calls came through, and few enough were refused. In less than ten seconds there are too few
    calls to judge.
    """
    for number in range(int((end - _SHORTEST - change) / _STEP) + 1):
        after = number * _STEP
        then = change + after
        if passed(rows, then, then + _SHORTEST, limit).good and passed(rows, then, end, limit).good:
            return after
    return None


def merged(rows_by_key: Sequence[Sequence[Row]]) -> list[Row]:
    """Put the rows of several workers into one series."""
    return sorted(row for rows in rows_by_key for row in rows)


def unevenness(counts: Sequence[int]) -> float:
    """Tell how far the worker that is farthest off is from the mean, as a share of the mean."""
    mean = sum(counts) / len(counts)
    return max(abs(count - mean) for count in counts) / mean if mean else 1.0
