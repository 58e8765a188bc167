"""Tasks that are followed, in Redis: a hash of them, and a sorted set of when each is due."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from importlib.resources import files
from typing import Any

from redis.asyncio import Redis

from service.adapters.ledger.record_text import UnreadableRecordError
from service.adapters.ledger.task_text import read_task
from service.adapters.ledger.tenure import Tenure
from service.core.pending_task import PendingTask

_SCRIPT = files(__package__).joinpath("tasks.lua").read_text("utf-8")
_MICROSECOND = timedelta(microseconds=1)

Ask = Callable[[Awaitable[Any]], Awaitable[Any]]
"""Awaits an answer of Redis, for so long as the ledger waits for one; raises `LedgerUnavailable`."""


class RedisTasks:
    """Keeps port `PendingTasks`, on the clock of the server. One that cannot be read stays, and is told to nobody."""

    def __init__(self, client: Redis, tenure: Tenure, prefix: str, ask: Ask) -> None:
        self._script = client.register_script(_SCRIPT)
        self._tenure = tenure
        self.keys = (f"{prefix}:ledger-tasks", f"{prefix}:ledger-due")
        self._ask = ask

    async def take(self) -> PendingTask | None:
        """Take the task that has been due for longest; see the port."""
        while (text := await self._run("take", self._tenure.lease // _MICROSECOND)) is not None:
            if (task := _readable(text)) is not None:
                return task
        return None

    async def reschedule(self, task_id: str, wait: float) -> None:
        """Have a task come due in `wait` seconds."""
        await self._run("reschedule", task_id, microseconds(wait))

    async def done(self, task_id: str) -> None:
        """Follow a task no longer."""
        await self._run("done", task_id)

    async def count(self) -> int:
        """Count the tasks that are followed."""
        return int(await self._run("count"))

    async def _run(self, operation: str, *wanted: str | int) -> Any:  # noqa: ANN401 - what a script returns
        arguments = [str(each).encode("utf-8", "surrogatepass") for each in (operation, *wanted)]
        return await self._ask(self._script(keys=list(self.keys), args=arguments))


def microseconds(seconds: float) -> int:
    """Give seconds in the unit of the scripts."""
    return timedelta(seconds=seconds) // _MICROSECOND


def _readable(text: object) -> PendingTask | None:
    try:
        return read_task(text) if isinstance(text, bytes) else None
    except UnreadableRecordError:
        return None
