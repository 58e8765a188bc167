"""The tables of waits, by the code that chooses them and the default settings."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import groupby

from service.core.history import History
from service.core.retry import RetryPolicy, backoff
from service.core.second_tier import escalate
from service.core.topology import RetryTier
from service.settings import RetrySettings
from tests.docs.tables.markdown import code, table

_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def backoff_table() -> str:
    """Build the table of the waits between two calls of one delivery."""
    retry = RetrySettings()
    policy = RetryPolicy(retry.attempts, retry.base, retry.cap, retry.budget)
    ceilings = {attempt: backoff(policy, attempt, 1.0) for attempt in range(1, policy.attempts)}
    return table(
        ("after call", "wait between 0 and", "on average"),
        ((str(attempt), f"{longest:g} s", f"{longest / 2:g} s") for attempt, longest in ceilings.items()),
    )


def tiers_table() -> str:
    """Build the table of the wait queues that a request goes through while every call is refused at once."""
    return table(("wait queue", "so many times", "then its age is"), _tier_rows())


def _tier_rows() -> Iterator[tuple[str, str, str]]:
    age = timedelta()
    for tier, run in groupby(_waits()):
        times = len(list(run))
        age += times * tier.wait
        yield code(f"videogen.retry.{tier.name}"), str(times), _age(age)


def _waits() -> Iterator[RetryTier]:
    retry = RetrySettings()
    ends = _BEGIN + timedelta(seconds=retry.max_age)
    now, history = _BEGIN, History(_BEGIN)
    while chosen := escalate(retry.tiers, history, floor=0.0, now=now, ends=ends):
        tier, history = chosen
        yield tier
        now += tier.wait


def _age(age: timedelta) -> str:
    minutes, seconds = divmod(round(age.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "min"), (seconds, "s"))
    return " ".join(f"{count} {unit}" for count, unit in parts if count)
