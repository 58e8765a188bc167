"""Metrics of the tasks that are followed."""

from prometheus_client import CollectorRegistry, Gauge

from service.adapters.metric_families import counters
from service.core.completion import CompletionStatus
from service.core.task_facts import QueriesHeld, TaskCompleted, TaskFact, TaskPolled, TasksPending
from service.core.task_query import QueryClass


class TrackingMetrics:
    """Counts queries and completions, and shows how many tasks are followed."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._polls = counters(
            "videogen_tracking_polls_total", "Queries for tasks by what they came to.", "result", QueryClass, registry
        )
        self._completions = counters(
            "videogen_completions_total",
            "Completions told, by how the task ended.",
            "outcome",
            CompletionStatus,
            registry,
        )
        self._pending = Gauge(
            "videogen_tasks_pending", "Tasks that are followed, by all workers of the ledger.", registry=registry
        )

    def notify(self, fact: TaskFact) -> None:
        """Take notice."""
        match fact:
            case TaskPolled(result=result):
                self._polls[result].inc()
            case TaskCompleted(status=status):
                self._completions[status].inc()
            case TasksPending(count=count):
                self._pending.set(count)
            case QueriesHeld():
                pass  # each query in vain is counted
