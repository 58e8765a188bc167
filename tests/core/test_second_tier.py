from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.history import History
from service.core.second_tier import escalate, wait_on
from service.core.topology import RetryTier

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MAX_AGE = timedelta(hours=6)
T10S, T1M, T5M, T30M = TIERS = (
    RetryTier("10s", timedelta(seconds=10)),
    RetryTier("1m", timedelta(minutes=1)),
    RetryTier("5m", timedelta(minutes=5)),
    RetryTier("30m", timedelta(minutes=30)),
)
SHORTEST = T10S.wait.total_seconds()


def _tier(history: History, *, floor: float = 0.0, left: float = 1e9) -> RetryTier | None:
    postponed = escalate(TIERS, history, floor=floor, now=NOW, ends=NOW + timedelta(seconds=left))
    return None if postponed is None else postponed[0]


def test_each_failed_delivery_waits_longer_than_the_one_before_up_to_the_longest_tier() -> None:
    history, taken = History(NOW), []
    for _ in range(6):
        postponed = escalate(TIERS, history, floor=0.0, now=NOW, ends=NOW + MAX_AGE)
        assert postponed is not None
        tier, history = postponed
        taken.append(tier.name)

    assert taken == ["10s", "1m", "5m", "30m", "30m", "30m"]
    assert history == History(NOW, postponed=6)


@pytest.mark.parametrize(
    ("floor", "tier"), [(0, T10S), (10, T10S), (10.5, T1M), (61, T5M), (300, T5M), (1800, T30M), (5000, T30M)]
)
def test_the_wait_that_the_server_asks_for_picks_the_tier(floor: float, tier: RetryTier) -> None:
    assert _tier(History(NOW), floor=floor) == tier


def test_a_short_wait_asked_for_does_not_undo_the_escalation() -> None:
    assert _tier(History(NOW, postponed=2), floor=1.0) == T5M


def test_a_wait_longer_than_every_tier_is_remembered_in_whole_seconds_and_never_too_short() -> None:
    postponed = escalate(TIERS, History(NOW), floor=7200.2, now=NOW, ends=NOW + MAX_AGE)

    assert postponed == (T30M, History(NOW, postponed=1, not_before=NOW + timedelta(seconds=7201)))


def test_a_wait_that_its_tier_covers_is_not_remembered() -> None:
    postponed = escalate(TIERS, History(NOW, not_before=NOW), floor=20.0, now=NOW, ends=NOW + MAX_AGE)

    assert postponed == (T1M, History(NOW, postponed=1))


@pytest.mark.parametrize(("left", "tier"), [(1801, T30M), (1800, T5M), (300, T1M), (60, T10S), (10, None), (-1, None)])
def test_the_last_waits_get_shorter_until_none_fits(left: float, tier: RetryTier | None) -> None:
    assert _tier(History(NOW, postponed=9), left=left) == tier


@pytest.mark.parametrize("left", [59.0, 60.0])
def test_a_wait_that_the_server_asks_for_and_that_outlasts_the_end_is_not_begun(left: float) -> None:
    assert _tier(History(NOW), floor=60.0, left=left) is None


def test_a_floor_that_fits_where_its_tier_does_not_is_kept_in_rounds() -> None:
    postponed = escalate(TIERS, History(NOW), floor=200.0, now=NOW, ends=NOW + timedelta(seconds=250))

    assert postponed == (T1M, History(NOW, postponed=1, not_before=NOW + timedelta(seconds=200)))


@pytest.mark.parametrize(
    ("seconds", "left", "tier"),
    [
        (1, 1e9, T10S),
        (10, 1e9, T10S),
        (11, 1e9, T1M),
        (1e6, 1e9, T30M),
        (301, 400, T5M),
        (12, 20, T10S),
        (2, 8, T10S),
        (2, -5, T10S),
    ],
)
def test_a_round_takes_the_shortest_tier_that_is_long_enough_and_does_not_outlast_the_end(
    seconds: float, left: float, tier: RetryTier
) -> None:
    assert wait_on(TIERS, seconds, time_left=left) == tier


def test_a_wait_without_an_end_takes_the_shortest_tier_that_is_long_enough() -> None:
    assert wait_on(TIERS, 61.0) == T5M


@given(
    floors=st.lists(st.one_of(st.just(0.0), st.floats(0, 90_000)), min_size=1, max_size=60),
    took=st.floats(0, 60),
    waits=st.lists(st.integers(1, 4000), min_size=1, max_size=5, unique=True),
    budget=st.integers(0, 22_000),
)
def test_all_waits_together_stay_within_the_budget_and_none_is_shorter_than_asked_for(
    floors: list[float], took: float, waits: list[int], budget: int
) -> None:
    """Let each delivery fail after `took` seconds, with the wait that the server asks for next."""
    tiers = [RetryTier(f"{wait}s", timedelta(seconds=wait)) for wait in sorted(waits)]
    now, ends = NOW, NOW + timedelta(seconds=budget)
    history = History(NOW)
    for floor in floors:
        now += timedelta(seconds=took)
        postponed = escalate(tiers, history, floor=floor, now=now, ends=ends)
        if postponed is None:
            return
        tier, after = postponed
        assert after == replace(history, postponed=history.postponed + 1, not_before=after.not_before)
        failed, now, history = now, now + tier.wait, after
        assert now < ends
        while history.not_before is not None and now < history.not_before and now < ends:
            left = (ends - now).total_seconds()
            now += wait_on(tiers, (history.not_before - now).total_seconds(), time_left=left).wait
        # Rounds may miss the end by the shortest tier, which is the shortest wait there is.
        assert now < ends + tiers[0].wait
        assert now >= ends or (now - failed).total_seconds() >= floor
