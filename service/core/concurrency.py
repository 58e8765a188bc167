"""How many calls need to be in flight at once for a rate: Little's law."""

from math import ceil

# Calls are not all alike: twice what the law says, and places for a second's worth of starts at least.
_SPARE = 2.0
_SHORTEST = 1.0
# About as many calls as it takes to learn that the endpoint has become slower or faster.
_WEIGHT = 1 / 16


class Concurrency:
    """`limit` is the most calls in flight at once: `most` while no rate is known, what the rate needs after that."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._seconds = 0.0
        self.limit = most

    def ended(self, seconds: float) -> None:
        """Learn from a call that took so long."""
        self._seconds += (seconds - self._seconds) * _WEIGHT

    def fit(self, rate: float | None) -> None:
        """Fit `limit` to a rate, in calls per second."""
        if rate is None:
            self.limit = self._most
        else:
            self.limit = min(self._most, ceil(rate * max(_SHORTEST, _SPARE * self._seconds)) + 1)
