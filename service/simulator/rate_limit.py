"""A token bucket that says how long to wait instead of waiting (limiter libraries make the caller wait)."""

from math import ceil


class TokenBucket:
    """Refills `rate` tokens a second up to `burst`; starts full. `now` is monotonic seconds.

    Raises:
        ValueError: `rate` is not positive or `burst` below 1.
    """

    def __init__(self, rate: float, burst: int | None = None) -> None:
        if rate <= 0:
            raise ValueError(f"the rate limit must be above 0 requests per second; got {rate}")
        self._rate = rate
        self._burst = max(1, ceil(rate)) if burst is None else burst
        if self._burst < 1:
            raise ValueError(f"the burst must be at least 1 request; got {burst}")
        self._tokens = float(self._burst)
        self._at: float | None = None

    def take(self, now: float) -> float | None:
        """Take a token: None where there was one, else the seconds until there will be."""
        if self._at is not None:
            self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        # Refilling in floats may end a hair below a whole token.
        if self._tokens >= 1 - 1e-9:
            self._tokens -= 1
            return None
        return (1 - self._tokens) / self._rate
