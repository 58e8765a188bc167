"""The second retry tier: into which wait queue a request goes, or that its time is up (spec section 3)."""

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from service.core.history import History
from service.core.topology import RetryTier


def escalate(
    tiers: Sequence[RetryTier], history: History, *, floor: float, now: datetime, ends: datetime
) -> tuple[RetryTier, History] | None:
    """Choose the tier after another failed delivery: one longer than the last time, and at least `floor` seconds.

    A tier that would outlast `ends` is not chosen, so the last waits are shorter ones. Where the server wants a longer
    wait than any tier has, the history says until when; the message then goes round without a call.

    Returns:
        The tier and the history to travel with the message; None where the wait would outlast `ends`.
    """
    wanted = max(floor, tiers[min(history.postponed, len(tiers) - 1)].wait.total_seconds())
    tier = _fitting(tiers, wanted, floor=floor, time_left=(ends - now).total_seconds())
    if tier is None:
        return None
    not_before = None
    if floor > tier.wait.total_seconds():
        not_before = now + timedelta(seconds=math.ceil(floor))
    return tier, replace(history, postponed=history.postponed + 1, not_before=not_before)


def wait_on(tiers: Sequence[RetryTier], seconds: float, *, time_left: float = math.inf) -> RetryTier:
    """Choose the tier for a message that has to wait `seconds` more, whatever the tiers were before.

    A tier that would outlast `time_left` is not chosen, unless even the shortest one would.
    """
    return _fitting(tiers, seconds, floor=0.0, time_left=time_left) or tiers[0]


def _fitting(tiers: Sequence[RetryTier], wanted: float, *, floor: float, time_left: float) -> RetryTier | None:
    if floor >= time_left:
        return None
    usable = [tier for tier in tiers if tier.wait.total_seconds() < time_left]
    if not usable:
        return None
    return next((tier for tier in usable if tier.wait.total_seconds() >= wanted), usable[-1])
