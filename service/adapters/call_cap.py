"""A hard cap on the calls that start in a second (`ENDPOINT__MAX_RPS`)."""

from aiolimiter import AsyncLimiter

# The bucket empties steadily, and may be filled at once where it is empty. Together the two must not be more than the
# cap in any second, so one of them takes the twentieth part.
_AT_ONCE = 0.05


class LeakyCap:
    """Keeps port `CallCap`: never more than `per_second` calls start in a second, and 5 % less go on and on."""

    def __init__(self, per_second: float) -> None:
        size = max(1.0, per_second * _AT_ONCE)
        self._bucket = AsyncLimiter(size, size / (per_second * (1 - _AT_ONCE)))

    def ready(self) -> bool:
        """Tell whether a call may start now; see the port."""
        return self._bucket.has_capacity()

    async def acquire(self) -> None:
        """Wait until one more call may start, and count it."""
        await self._bucket.acquire()
