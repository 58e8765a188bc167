"""The first calls after a start or a long rest: a few at once, then more and more."""

import math

_FIRST = 8
# Whole calls may take half a minute: where no answer comes, time alone doubles what may start.
_DOUBLING = 0.1
# Far more than may ever be in flight have started by then.
_LENGTH = 1.1
_REST = 60.0


class SlowStart:
    """Keeps a queue that was full from meeting an endpoint with a limit all at once.

    Eight calls may start at once, two for each that is answered without a refusal, and twice as many every 0.1 s. An
    endpoint that answers is not kept waiting by this; one that refuses is heard in time. `now` is monotonic seconds.
    """

    def __init__(self) -> None:
        self._last = -math.inf
        self.begin()

    def begin(self) -> None:
        """Begin again."""
        self._began: float | None = None
        self._started = self._answered = 0
        self._over = False

    def end(self) -> None:
        """Hold nothing back any more."""
        self._over = True

    def wait(self, now: float) -> float:
        """Tell how many seconds the next call has to wait; 0 or less: none."""
        if self._over or self._began is None:
            return 0.0
        ahead = self._started + 1 - 2 * self._answered
        return 0.0 if ahead <= _FIRST else self._began + _DOUBLING * math.log2(ahead / _FIRST) - now

    def start(self, now: float) -> None:
        """Hear that a call starts."""
        if now - self._last > _REST:
            self.begin()
        self._last = now
        if self._over:
            return
        if self._began is None:
            self._began = now
        self._started += 1
        self._over = now - self._began > _LENGTH

    def not_made(self) -> None:
        """Hear that a call that started was not made after all."""
        self._started -= 1

    def answered(self) -> None:
        """Hear of an answer that was no refusal."""
        self._answered += 1
