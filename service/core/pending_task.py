"""A task that is followed: what its message will need, and when it is asked for next."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

_SHARE_OF_AGE = 0.25
_JITTER = 0.2


@dataclass(frozen=True, slots=True)
class PendingTask:
    """A task that the endpoint accepted at `submitted_at` and of which no end is known.

    `reply_to`, `correlation_id` and `trace` are those of the request that was called.
    """

    task_id: str
    request_id: str
    model: str
    submitted_at: datetime
    correlation_id: str
    reply_to: str | None = None
    trace: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Follow:
    """The wish to have a task followed; it is due `first` seconds after it is on record."""

    task: PendingTask
    first: float


@dataclass(frozen=True, slots=True)
class TrackingPolicy:
    """How tasks are followed. `first`, `cap` and `lost_after` are seconds.

    `at_once` queries may be under way at one time, and `per_second` start in a second.
    """

    first: float = 5.0
    cap: float = 60.0
    lost_after: float = 86_400.0
    at_once: int = 1
    per_second: float = 1.0


def next_wait(policy: TrackingPolicy, age: float, u: float) -> float:
    """Tell how many seconds after a query the next one is due, for a task that was accepted `age` seconds ago.

    A quarter of the age, at most `cap`, less up to a fifth by chance, and never less than `first`. `u` is uniform in
    [0, 1).
    """
    return max(policy.first, min(policy.cap, age * _SHARE_OF_AGE) * (1 - _JITTER * u))


def is_given_up(policy: TrackingPolicy, age: float, *, answered: bool) -> bool:
    """Tell whether a task of which no end is known is followed no longer, after a query at this `age`.

    A query that was not answered, or not by what knows of tasks, ends nothing for as long again.
    """
    return age >= policy.lost_after * (1 if answered else 2)
