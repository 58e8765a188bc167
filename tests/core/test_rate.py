import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.rate import LOWEST, AdaptiveRate, Start


class Player:
    """Plays calls against a rate, as fast as it lets them start."""

    def __init__(self, longest_pause: float = 60.0) -> None:
        self.rate = AdaptiveRate(longest_pause)
        self.now = 0.0

    def start(self) -> Start:
        self.now += max(0.0, self.rate.wait(self.now))
        return self.rate.start(self.now)

    def play(self, seconds: float) -> int:
        """Start and pass calls for so long; tell how many."""
        ends, calls = self.now + seconds, 0
        while self.now + max(0.0, self.rate.wait(self.now)) < ends:
            self.rate.passed(self.start())
            self.now += 0.001 if self.rate.limit is None else 0.0
            calls += 1
        self.now = ends
        return calls

    def refuse(self, retry_after: float | None = 0.0, *, later: float = 0.0) -> None:
        start = self.start()
        self.now += later
        self.rate.refused(start, self.now, retry_after)

    def settle(self, per_second: float, minutes: float = 1.0) -> float:
        """Be refused whenever more than `per_second` calls start, a second's worth being saved up; tell the share."""
        tokens, at, ends = max(1.0, per_second), self.now, self.now + 60 * minutes
        calls = refused = 0
        while self.now < ends:
            start = self.start()
            tokens, at = min(max(1.0, per_second), tokens + (self.now - at) * per_second), self.now
            calls += 1
            if tokens >= 1:
                tokens -= 1
                self.rate.passed(start)
            else:
                self.rate.refused(start, self.now, 1.0)
                refused += 1
        return refused / calls

    @property
    def limit(self) -> float:
        assert self.rate.limit is not None
        return self.rate.limit


def settled(per_second: float) -> Player:
    player = Player()
    player.settle(per_second)
    return player


def test_without_a_refusal_nothing_is_held_back_after_the_first_second() -> None:
    player = Player()
    player.play(1.2)
    for _ in range(10_000):
        assert player.rate.wait(player.now) == 0.0
        player.rate.start(player.now)
    assert player.rate.limit is None


def test_the_first_refusal_sets_the_rate_to_what_was_called_lately() -> None:
    player = Player()
    for tenth in range(300):
        player.now = tenth / 10
        player.rate.passed(player.rate.start(player.now))
    player.refuse()
    assert player.limit == pytest.approx(10 * 0.8, rel=0.15)


def test_what_was_called_longer_ago_does_not_count() -> None:
    player = Player()
    for second in range(30):
        player.now = float(second)
        player.rate.passed(player.rate.start(player.now))
    for hundredth in range(200):
        player.now = 30 + hundredth / 100
        player.rate.passed(player.rate.start(player.now))
    player.refuse()
    assert player.limit == pytest.approx(100 * 0.8, rel=0.15)


def test_what_got_through_since_the_first_refusal_is_the_rate_once_the_limit_is_met_again() -> None:
    player = Player()
    player.refuse()
    calls = player.play(4.0)
    assert player.limit > 2 * calls / 4
    player.refuse()
    assert player.limit == pytest.approx(1.1 * calls / 4, rel=0.1)


def test_without_retry_after_a_single_refusal_does_not_end_the_search() -> None:
    player = Player()
    player.refuse()
    player.play(2.0)
    before = player.limit
    for _ in range(2):
        player.refuse(None)
        assert player.limit > before
    for _ in range(10):
        player.refuse(None)
    assert player.limit < before


def test_few_of_many_calls_refused_do_not_slow_the_others_down_and_more_do() -> None:
    player = settled(100.0)
    player.play(5.0)
    before = player.limit
    # Of the calls of two seconds, some less than the 4 % that may come from elsewhere.
    few = int(0.07 * before)
    for _ in range(few):
        player.refuse(None)
        player.play(0.02)
    assert player.limit >= before
    before = player.limit
    for _ in range(few):
        player.refuse(None)
    assert player.limit < 0.9 * before


def test_refusals_of_two_seconds_ago_are_forgotten() -> None:
    player = settled(100.0)
    player.play(2.1)
    for _ in range(10):
        before = player.limit
        for _ in range(4):
            player.refuse(None)
        player.play(2.1)
        assert player.limit > before


def test_of_few_calls_a_single_refusal_slows_down() -> None:
    player = settled(5.0)
    player.play(1.0)
    before = player.limit
    player.refuse(None)
    assert player.limit < before


def test_the_rate_does_not_fall_far_below_what_gets_through() -> None:
    player = settled(100.0)
    player.play(2.0)
    for _ in range(6):
        player.refuse(0.0)
        player.rate.passed(player.start())
    assert player.limit > 70


def test_a_refusal_out_of_quiet_does_not_bring_the_rate_to_nothing() -> None:
    player = Player()
    player.rate.passed(player.start())
    player.now = 3600.0
    player.refuse()
    assert player.limit == 1.0


@pytest.mark.parametrize("limit", [2.0, 20.0, 100.0, 300.0, 1000.0])
def test_it_settles_a_little_above_a_limit(limit: float) -> None:
    player = settled(limit)
    assert 0.95 * limit < player.limit < 1.4 * limit


@pytest.mark.parametrize(("before", "after"), [(100.0, 50.0), (100.0, 10.0), (50.0, 100.0), (20.0, 1000.0)])
def test_it_settles_anew_where_the_limit_changed(before: float, after: float) -> None:
    player = settled(before)
    player.settle(after)
    assert 0.95 * after < player.limit < 1.4 * after


def test_a_limit_that_doubled_is_found_in_15_seconds() -> None:
    player = settled(50.0)
    player.settle(100.0, minutes=0.25)
    assert player.play(1.0) >= 95


def test_a_limit_of_a_few_calls_a_minute_is_not_run_into_again_and_again() -> None:
    player = settled(0.5)
    assert player.settle(0.5, minutes=30.0) <= 0.2


def test_one_refusal_takes_a_share_of_the_rate_and_those_that_had_started_by_then_take_nothing() -> None:
    player = settled(100.0)
    player.play(2.0)
    flying = [player.start() for _ in range(20)]
    before = player.limit

    player.rate.refused(flying[0], player.now, 0.0)
    after = player.limit
    for start in flying[1:]:
        player.rate.refused(start, player.now, 0.0)

    assert 0.95 * before < after < 0.99 * before
    assert player.limit == after


def test_without_retry_after_a_refusal_that_counts_stands_for_several_and_takes_more() -> None:
    player = settled(100.0)
    player.play(2.0)
    before = player.limit
    while player.limit >= before:
        player.refuse(None)
    assert 0.7 * before < player.limit < 0.9 * before


def test_of_few_calls_one_refusal_takes_more_for_there_are_fewer_to_learn_from() -> None:
    player = settled(5.0)
    player.play(2.0)
    before = player.limit
    player.refuse()
    assert 0.7 * before < player.limit < 0.9 * before


def test_a_refusal_soon_after_another_takes_more() -> None:
    player = settled(100.0)
    player.play(2.0)
    player.refuse()
    player.play(0.5)
    before = player.limit
    player.refuse()
    assert 0.7 * before < player.limit < 0.9 * before


def test_calls_that_started_after_a_refusal_slow_down_again() -> None:
    player = settled(100.0)
    player.play(1.0)
    player.refuse()
    once = player.limit
    player.play(1.0)
    player.refuse()
    assert player.limit < once


def test_where_nothing_gets_through_for_long_the_rate_goes_down_to_a_trickle_and_no_further() -> None:
    player = settled(100.0)
    for _ in range(200):
        player.refuse()
    assert player.limit == LOWEST
    assert player.rate.wait(player.now) <= 1 / LOWEST


def test_it_recovers_from_a_trickle_in_a_minute_or_two() -> None:
    player = settled(100.0)
    for _ in range(200):
        player.refuse()
    player.play(120.0)
    assert player.play(1.0) >= 100


@pytest.mark.parametrize(
    ("asked", "pause"), [(0.0, 0.0), (0.25, 0.25), (3.0, 3.0), (59.0, 59.0), (3600.0, 60.0), (math.inf, 60.0)]
)
def test_a_pause_is_as_long_as_asked_for_within_bounds(asked: float | None, pause: float) -> None:
    player = settled(100.0)
    player.now += 1
    player.refuse(asked)
    assert player.rate.wait(player.now) == pytest.approx(pause, abs=0.02)


def test_without_retry_after_a_pause_is_as_long_as_a_few_calls_and_a_second_where_nothing_gets_through() -> None:
    player = settled(100.0)
    player.play(1.0)
    while player.rate.wait(player.now) < 0.02:
        player.refuse(None)
    assert player.rate.wait(player.now) == pytest.approx(5 / player.limit, abs=0.02)
    player.now += 0.1
    while player.rate.wait(player.now) < 0.2:
        player.refuse(None)
    assert player.rate.wait(player.now) == pytest.approx(1.0, abs=0.02)


def test_news_that_come_late_make_a_pause_no_longer_but_a_longer_wish_does() -> None:
    player = settled(100.0)
    player.now += 1
    flying = [player.start() for _ in range(3)]
    heard = player.now
    player.rate.refused(flying[0], heard, 2.0)
    player.rate.refused(flying[1], heard + 1.5, 2.0)
    assert player.rate.wait(heard) == pytest.approx(2.0, abs=0.05)
    player.rate.refused(flying[2], heard + 1.5, 9.0)
    assert player.rate.wait(heard) == pytest.approx(9.0, abs=0.05)


def test_a_rate_that_is_not_used_does_not_grow() -> None:
    player = settled(100.0)
    player.refuse()
    before = player.limit
    for _ in range(20):
        player.now += 2.0
        player.rate.passed(player.start())
    assert player.limit < 1.05 * before


def test_a_minute_without_a_refusal_ends_the_limit() -> None:
    player = settled(100.0)
    player.refuse()
    player.now += 59.0
    player.start()
    assert player.rate.limit is not None
    player.now += 2.0
    player.start()
    assert player.rate.limit is None


def test_a_long_pause_does_not_count_as_quiet() -> None:
    player = settled(100.0)
    player.refuse(60.0)
    player.now += 61.0
    player.start()
    assert player.rate.limit is not None


def test_a_call_that_was_not_made_gives_its_turn_back() -> None:
    player = settled(100.0)
    player.now += 10
    waits = []
    for _ in range(50):
        player.rate.start(player.now)
        player.rate.not_made()
        waits.append(player.rate.wait(player.now))
    assert max(waits) < 0.02


def test_refusals_that_are_heard_late_let_the_rate_grow_more_slowly() -> None:
    quick, slow = settled(100.0), settled(100.0)
    quick.refuse(later=0.0)
    slow.refuse(later=2.0)
    before = quick.limit, slow.limit
    quick.play(6.0)
    slow.play(6.0)
    assert quick.limit / before[0] > slow.limit / before[1] > 1.0


Step = tuple[str, float]


@given(
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("go on"), st.floats(0.0, 30.0)),
            st.tuples(st.just("start"), st.just(0.0)),
            st.tuples(st.just("pass"), st.just(0.0)),
            st.tuples(st.just("refuse"), st.floats(0.0, 1e6)),
            st.tuples(st.just("void"), st.just(0.0)),
        ),
        max_size=200,
    )
)
def test_whatever_happens_there_is_a_rate_and_a_next_turn_within_bounds(steps: list[Step]) -> None:
    rate, now = AdaptiveRate(60.0), 0.0
    flying: list[Start] = []

    for step, value in steps:
        match step:
            case "go on":
                now += value
            case "start":
                wait = rate.wait(now)
                assert wait <= 60.0 + 2 / LOWEST
                now += max(0.0, wait)
                flying.append(rate.start(now))
            case "void" if flying:
                flying.pop()
                rate.not_made()
            case "pass" if flying:
                rate.passed(flying.pop(0))
            case "refuse" if flying:
                before = rate.limit
                rate.refused(flying.pop(0), now, value)
                assert rate.limit is not None
                assert before is None or rate.limit <= max(before, LOWEST)
            case _:
                pass
        assert rate.limit is None or LOWEST <= rate.limit < math.inf
