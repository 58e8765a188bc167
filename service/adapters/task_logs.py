"""Facts about tasks that are followed, as log lines. No line holds a reason or a URL: both may quote the prompt."""

import structlog

from service.core.task_facts import QueriesHeld, TaskCompleted, TaskFact, TaskPolled, TasksPending


def log_task_fact(log: structlog.typing.FilteringBoundLogger, fact: TaskFact) -> None:
    """Write a line at info for each task that ended, and a warning where queries begin to be in vain."""
    match fact:
        case TaskPolled():
            log.debug(
                "task asked for",
                request_id=fact.request_id,
                task_id=fact.task_id,
                result=fact.result.value,
                seconds=round(fact.seconds, 3),
            )
        case TaskCompleted():
            parked = {"parked": True} if fact.parked else {}
            log.info(
                "task completed",
                request_id=fact.request_id,
                task_id=fact.task_id,
                outcome=fact.status.value,
                **parked,
            )
        case TasksPending(count=count):
            log.debug("tasks followed", count=count)
        case QueriesHeld(reason=reason, seconds=seconds):
            log.warning(
                "queries for tasks pause: the endpoint takes none for now",
                reason=reason.value,
                seconds=round(seconds, 3),
            )
