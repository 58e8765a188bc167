import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.slow_start import SlowStart


def started_until(slow: SlowStart, end: float, *, answer_after: float = math.inf) -> int:
    """Start calls as early as they may, each answered `answer_after` seconds later, and count them."""
    now, started, open_calls = 0.0, 0, [math.inf]
    while started < 100_000:
        due = min(open_calls[0], now + max(0.0, slow.wait(now)))
        if due > end:
            break
        now = due
        if now == open_calls[0]:
            open_calls.pop(0)
            slow.answered()
        elif slow.wait(now) <= 1e-9:
            slow.start(now)
            started += 1
            open_calls.insert(-1, now + answer_after)
    return started


def test_eight_calls_start_at_once_and_no_more() -> None:
    assert started_until(SlowStart(), 0.0) == 8


@pytest.mark.parametrize(("seconds", "started"), [(0.1, 16), (0.2, 32), (0.3, 64), (0.8, 2048)])
def test_where_nobody_answers_the_number_doubles_every_tenth_of_a_second(seconds: float, started: int) -> None:
    assert started_until(SlowStart(), seconds + 1e-6) == started


def test_an_endpoint_that_answers_is_not_kept_waiting() -> None:
    # 64 calls of 5 ms need four rounds: 8 + 16 + 32 + 64.
    assert started_until(SlowStart(), 0.0151, answer_after=0.005) >= 64


def test_it_is_over_in_little_more_than_a_second() -> None:
    slow = SlowStart()
    assert started_until(slow, 1.2) == 100_000
    assert slow.wait(0.0) == 0.0


def test_it_begins_again_after_a_minute_of_rest_alone() -> None:
    slow = SlowStart()
    started_until(slow, 1.2)

    slow.start(60.0)
    assert slow.wait(60.0) == 0.0
    slow.start(120.1)
    assert slow.wait(120.1) == 0.0
    for _ in range(7):
        slow.start(120.1)
    assert slow.wait(120.1) > 0.0


def test_who_heard_a_refusal_ends_it() -> None:
    slow = SlowStart()
    started_until(slow, 0.0)
    slow.end()
    assert slow.wait(0.0) == 0.0


def test_a_call_that_was_not_made_takes_no_place() -> None:
    slow = SlowStart()
    for _ in range(50):
        slow.start(0.0)
        slow.not_made()
    assert slow.wait(0.0) == 0.0


@given(answered=st.integers(0, 20), seconds=st.floats(0.0, 1.0))
def test_no_more_start_than_time_and_answers_allow(answered: int, seconds: float) -> None:
    slow = SlowStart()
    slow.start(0.0)
    for _ in range(answered):
        slow.answered()
    started = 1
    while slow.wait(seconds) <= 0 and started < 20_000:
        slow.start(seconds)
        started += 1
    assert started <= 8 * 2 ** (seconds / 0.1) + 2 * answered + 1
