"""How many calls may start in a second, as found from the calls that the endpoint refuses with 429 (spec section 5)."""

import math
from collections import deque

from service.core.slow_start import SlowStart
from service.core.value_class import value_class

LOWEST = 0.1
"""Calls per second that are always tried: a limit that was lifted must be noticed."""

# Where a refusal names no wait: as long as a few calls take to start, but a second where nothing gets through at all.
_FEW_STARTS, _WITHOUT_A_WORD = 5.0, 1.0

# Where a refusal names a wait, it is 14 % at 5 calls per second and 2.8 % at 75. The faster meet the limit more often:
# each time counts for less, and workers that share it have more to learn from.
_LESS, _LESS_POWER = 0.14, -0.6
# Refused again within a second, the limit is lower by more than that.
_SOON = 1.0
# Three refusals in a row with nothing let through between: the limit is somewhere else, and is looked for anew.
_KEPT_IN_VAIN, _IN_VAIN = 0.5, 3
# Growth is 4.5 % in a second at 5 calls per second and 2.0 % at 75. The slower grow more, so that workers that share a
# limit come to share it evenly.
_STEP, _STEP_AT, _STEP_POWER = 0.045, 5.0, -0.3
_FEW = 2.0
# So a limit is met every few seconds. Who is not refused for longer than that hurries on to a new one.
_QUIET, _HURRY, _FASTEST = 7.0, 0.009, 0.3
# A limiter that has saved up a second's worth of calls lets about as much growth pass before it refuses.
_UNNOTICED = 3.0
# Until refusals can be heard, growth goes on: it stays below a quarter of the rate.
_GROWTH_UNHEARD = 0.25
# A first guess doubles in so many seconds, until it is refused.
_DOUBLING = 0.5
_FIRST_GUESS = 0.8
# What counts as lately, in seconds: for what started, what got through and what was refused.
_RECENT = 2.0
# A limit that is met soon refuses more than that share of what started lately. Fewer refusals have other reasons: one
# model of several, one account of several, one request.
_STRAY = 0.04
# Where no rate is known yet there is little to compare with.
_FIRST_STRAYS = 2
# Of what got through between two refusals; a little more, or the limit would never be met again.
_FOUND = 1.1
# A timer that is late costs no calls.
_LATE = 0.05
_FORGOTTEN_AFTER, _FORGOTTEN_AFTER_CALLS = 60.0, 300
# No worker starts so many.
_BEYOND_ALL = 10_000.0
_MARK_EVERY, _MARKS = 0.5, 64


@value_class
class Start:
    """When a call started, and as which one."""

    at: float
    number: int


@value_class
class _Mark:
    """How many calls had started, and how many were known to have got through, at some moment."""

    at: float
    started: int
    passed: int


class AdaptiveRate:
    """Paces the starts of calls: additive increase, multiplicative decrease, one pause for all.

    It has no clock: `now` is monotonic seconds, from whatever point. `longest_pause` bounds what a server may ask for.

    A refusal that names a wait slows the rate down; so do others where they are more than a few of a hundred calls.
    Calls that had started by then were refused for the same reason and slow down nothing more. Nor does the rate fall
    far below what gets through. It grows only while it is used. No limit is known until one is met, nor a minute after.
    The figures come from simulations (docs/decisions/0013-adaptive-rate.md).
    """

    def __init__(self, longest_pause: float) -> None:
        self._longest_pause = longest_pause
        self._slow_start = SlowStart()
        self._rate = math.inf
        self._seeking = False
        self._next = self._slowed_at = self._grown_at = self._forgotten_at = -math.inf
        self._used = 0.0
        self._unheard = 0.0
        self._started = self._started_when_slowed = 0
        self._void = self._passed = 0
        self._passed_since = 0
        self._refusals: deque[float] = deque()
        self._vain = 0
        self._found = Start(-math.inf, 0)
        self._marks: deque[_Mark] = deque(maxlen=_MARKS)

    @property
    def limit(self) -> float | None:
        """Calls per second; None while no limit is known."""
        return None if self._rate == math.inf else self._rate

    def wait(self, now: float) -> float:
        """Tell how many seconds the next call has to wait; 0 or less: none."""
        return self._slow_start.wait(now) if self._rate == math.inf else self._next - now

    def start(self, now: float) -> Start:
        """Hear that a call starts."""
        self._started += 1
        if not self._marks or now - self._marks[-1].at >= _MARK_EVERY:
            self._marks.append(_Mark(now, self._started, self._passed))
        if self._rate < math.inf and (now >= self._forgotten_at or self._rate > _BEYOND_ALL):
            self._rate = math.inf
            self._slow_start.begin()
        if self._rate == math.inf:
            self._slow_start.start(now)
        else:
            self._grow(now)
            self._next = max(self._next, now - _LATE) + 1 / self._rate
        return Start(now, self._started)

    def not_made(self) -> None:
        """Hear that a call that started was not made after all."""
        self._void += 1
        if self._rate < math.inf:
            self._next -= 1 / self._rate
        else:
            self._slow_start.not_made()

    def passed(self, start: Start) -> None:
        """Hear that a call was not refused."""
        self._passed += 1
        if self._rate == math.inf:
            self._slow_start.answered()
        elif start.number > self._started_when_slowed:
            self._passed_since += 1

    def refused(self, start: Start, now: float, retry_after: float | None) -> None:
        """Hear that a call was refused, with the seconds that the server asked for."""
        pause = retry_after
        if start.number > self._started_when_slowed:
            self._refusals.append(now)
            if retry_after is not None or self._tells_of_a_limit(start, now):
                in_vain = not self._passed_since
                self._slow_down(start, now, named=retry_after is not None)
                if pause is None:
                    pause = _WITHOUT_A_WORD if in_vain else min(_WITHOUT_A_WORD, _FEW_STARTS / self._rate)
        self._void += 1
        if pause is not None:
            # Counted from when the limit was first heard of: news that comes late must not make the pause longer.
            self._pause_until(self._slowed_at + min(pause, self._longest_pause))

    def _tells_of_a_limit(self, start: Start, now: float) -> bool:
        while self._refusals[0] < now - _RECENT:
            self._refusals.popleft()
        strays = _STRAY * _RECENT * min(self._rate, self._guess(start))
        if self._seeking or self._rate == math.inf:
            strays = max(strays, _FIRST_STRAYS)
        return len(self._refusals) > strays

    def _slow_down(self, start: Start, now: float, *, named: bool) -> None:
        self._unheard = now - start.at
        self._rate = max(LOWEST, self._slower(start, now, named=named))
        self._found = Start(start.at, start.number - self._void)
        self._slowed_at = now
        self._started_when_slowed = self._started
        self._used = 0.0
        self._passed_since = 0
        self._refusals.clear()

    def _pause_until(self, then: float) -> None:
        self._next = max(self._next, then)
        self._grown_at = max(self._grown_at, then)
        self._forgotten_at = self._next + max(_FORGOTTEN_AFTER, _FORGOTTEN_AFTER_CALLS / self._rate)

    def _slower(self, start: Start, now: float, *, named: bool) -> float:
        if self._rate == math.inf:
            self._seeking = True
            self._slow_start.end()
            return max(1.0, self._guess(start) * _FIRST_GUESS)
        if self._seeking:
            self._seeking = False
            return self._got_through(start)
        self._vain = 0 if self._passed_since else self._vain + 1
        if self._vain >= _IN_VAIN:
            self._vain, self._seeking = 0, True
            return self._rate * _KEPT_IN_VAIN
        less = _LESS
        if named and self._used > _SOON:
            less *= max(1.0, self._rate / _STEP_AT) ** _LESS_POWER
        slower = self._rate * min(1 - less, 1 / (1 + self._growth() * (self._unheard + _UNNOTICED)))
        return max(slower, min(self._rate, self._getting_through(now) * (1 - _LESS)))

    def _guess(self, refused: Start) -> float:
        """Tell how many calls per second started just before one that was refused."""
        first = next((mark for mark in self._marks if mark.at >= refused.at - _RECENT), None)
        return 0.0 if first is None else (refused.number - first.started) / max(1.0, refused.at - first.at)

    def _getting_through(self, now: float) -> float:
        """Tell how many calls per second got through lately, as far as that is known."""
        first = next((mark for mark in self._marks if mark.at >= now - _RECENT), None)
        return 0.0 if first is None else (self._passed - first.passed) / max(1.0, now - first.at)

    def _got_through(self, refused: Start) -> float:
        """Tell the rate that got through since the limit was met the last time: there was nothing left then, either."""
        seconds = refused.at - self._found.at
        if seconds < 1:
            return self._rate / 2
        got_through = (refused.number - self._void - self._found.number) / seconds
        return min(max(got_through * _FOUND, self._rate / 8), self._rate * (1 - _LESS))

    def _grow(self, now: float) -> None:
        # A worker that has little to do must not come to think that it may do much.
        seconds = max(0.0, min(now - self._grown_at, 1.5 / self._rate))
        self._grown_at = max(self._grown_at, now)
        # Few calls tell little: where there are less than two in a second, time counts by them.
        seconds *= min(1.0, self._rate / _FEW)
        self._used += seconds
        self._rate *= math.exp(self._growth() * seconds)

    def _growth(self) -> float:
        """Tell the share by which the rate grows in a second."""
        if self._seeking:
            return math.log(2) / max(_DOUBLING, self._unheard)
        step = _STEP * math.pow(max(_FEW, self._rate) / _STEP_AT, _STEP_POWER) / (1 + self._unheard)
        hurry = _HURRY * max(0.0, self._used - _QUIET - self._unheard) ** 2
        return min(step + hurry, _FASTEST, _GROWTH_UNHEARD / max(self._unheard, 0.01))
