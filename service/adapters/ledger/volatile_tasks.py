"""Tasks that are followed, in the memory of this process."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from service.adapters.ledger.tenure import Tenure
from service.core.pending_task import Follow, PendingTask


@dataclass(slots=True)
class _Followed:
    task: PendingTask
    due: datetime


class VolatileTasks:
    """Keeps port `PendingTasks`. They are gone with the process."""

    def __init__(self, tenure: Tenure) -> None:
        self._tenure = tenure
        self._followed: dict[str, _Followed] = {}

    def follow(self, follow: Follow) -> None:
        """Put a task on record."""
        due = self._now + timedelta(seconds=follow.first)
        self._followed.setdefault(follow.task.task_id, _Followed(follow.task, due))

    async def take(self) -> PendingTask | None:
        """Take the task that has been due for longest; see the port."""
        now = self._now
        first = min(self._followed.values(), key=lambda followed: followed.due, default=None)
        if first is None or first.due > now:
            return None
        first.due = now + self._tenure.lease
        return first.task

    async def reschedule(self, task_id: str, wait: float) -> None:
        """Have a task come due in `wait` seconds."""
        if task_id in self._followed:
            self._followed[task_id].due = self._now + timedelta(seconds=wait)

    async def done(self, task_id: str) -> None:
        """Follow a task no longer."""
        self._followed.pop(task_id, None)

    async def count(self) -> int:
        """Count the tasks that are followed."""
        return len(self._followed)

    @property
    def _now(self) -> datetime:
        return self._tenure.clock.now()
