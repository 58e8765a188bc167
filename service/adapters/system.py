"""The machine's clock, random ids and randomness."""

import secrets
import time
import uuid
from datetime import UTC, datetime

_RANDOM = secrets.SystemRandom()


class SystemClock:
    """`ports.Clock` on the machine's own clocks."""

    def now(self) -> datetime:
        """Tell the wall clock time, with zone UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Tell seconds since some fixed point; never goes back."""
        return time.monotonic()


def new_id() -> str:
    """Make an id that nobody has: a random UUID."""
    return str(uuid.uuid4())


def uniform() -> float:
    """Draw evenly from [0, 1)."""
    return _RANDOM.random()
