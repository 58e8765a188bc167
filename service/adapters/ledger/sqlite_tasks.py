"""Tasks that are followed, as rows of a SQLite table."""

from datetime import UTC, datetime, timedelta

from service.adapters.ledger.group_commit import GroupCommit
from service.adapters.ledger.record_text import UnreadableRecordError
from service.adapters.ledger.sqlite_rows import Rows
from service.adapters.ledger.task_text import read_task, task_text
from service.adapters.ledger.tenure import Tenure
from service.core.pending_task import Follow, PendingTask

_FOLLOW = "INSERT OR IGNORE INTO task VALUES (?, ?, ?, ?)"
_DUE = "SELECT task_id, task FROM task WHERE prefix = ? AND due <= ? ORDER BY due LIMIT 1"
_MOVE = "UPDATE task SET due = ? WHERE prefix = ? AND task_id = ?"
_DONE = "DELETE FROM task WHERE prefix = ? AND task_id = ?"
_COUNT = "SELECT count(*) FROM task WHERE prefix = ?"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class SqliteTasks:
    """Keeps port `PendingTasks`. One that cannot be read stays where it is, and nobody is told of its end."""

    def __init__(self, commits: GroupCommit[Rows], tenure: Tenure) -> None:
        self._commits = commits
        self._tenure = tenure

    async def take(self) -> PendingTask | None:
        """Take the task that has been due for longest; see the port."""
        # What nobody waits for any more would only be kept from others for a lease.
        return await self._commits.run(self._take, lapses=True)

    async def reschedule(self, task_id: str, wait: float) -> None:
        """Have a task come due in `wait` seconds."""

        def move(rows: Rows) -> None:
            rows.connection.execute(_MOVE, (self._due_in(timedelta(seconds=wait)), rows.prefix, _blob(task_id)))

        await self._commits.run(move)

    async def done(self, task_id: str) -> None:
        """Follow a task no longer."""

        def remove(rows: Rows) -> None:
            rows.connection.execute(_DONE, (rows.prefix, _blob(task_id)))

        await self._commits.run(remove)

    async def count(self) -> int:
        """Count the tasks that are followed."""
        return await self._commits.run(_count)

    def follow(self, rows: Rows, follow: Follow) -> None:
        """Put a task on record, in the transaction of `rows`."""
        # As bytes: a text that is no UTF-8 any more would fail for all in its transaction.
        text = task_text(follow.task).encode("ascii")
        due = self._due_in(timedelta(seconds=follow.first))
        rows.connection.execute(_FOLLOW, (rows.prefix, _blob(follow.task.task_id), due, text))

    def _take(self, rows: Rows) -> PendingTask | None:
        lease_ends, now = self._due_in(self._tenure.lease), self._due_in(timedelta(0))
        while row := rows.connection.execute(_DUE, (rows.prefix, now)).fetchone():
            task_id, text = row
            rows.connection.execute(_MOVE, (lease_ends, rows.prefix, task_id))
            if (task := _readable(text)) is not None:
                return task
        return None

    def _due_in(self, wait: timedelta) -> int:
        return (self._tenure.clock.now() + wait - _EPOCH) // _MICROSECOND


def _count(rows: Rows) -> int:
    (count,) = rows.connection.execute(_COUNT, (rows.prefix,)).fetchone()
    return int(count)


def _readable(text: object) -> PendingTask | None:
    try:
        return read_task(text) if isinstance(text, bytes) else None
    except UnreadableRecordError:
        return None


def _blob(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
