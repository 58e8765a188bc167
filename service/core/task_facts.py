"""Facts about tasks that are followed."""

from dataclasses import dataclass

from service.core.completion import CompletionStatus
from service.core.task_query import HeldOffReason, QueryClass


@dataclass(frozen=True, slots=True)
class TaskPolled:
    """A query for a task ended after `seconds`."""

    request_id: str
    task_id: str
    result: QueryClass
    seconds: float


@dataclass(frozen=True, slots=True)
class TaskCompleted:
    """The end of a task was told. `parked`: the completion went to `undelivered`."""

    request_id: str
    task_id: str
    status: CompletionStatus
    parked: bool


@dataclass(frozen=True, slots=True)
class TasksPending:
    """So many tasks are followed, by all workers of this ledger together."""

    count: int


@dataclass(frozen=True, slots=True)
class QueriesHeld:
    """Queries pause, for `seconds` at first. Told once for each run of queries in vain."""

    reason: HeldOffReason
    seconds: float


TaskFact = TaskPolled | TaskCompleted | TasksPending | QueriesHeld
