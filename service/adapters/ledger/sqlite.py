"""The ledger in a SQLite file, for the workers of one host."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TypeVar

from service.adapters.ledger.errors import damaged
from service.adapters.ledger.group_commit import GroupCommit
from service.adapters.ledger.record_text import UnreadableRecordError
from service.adapters.ledger.sqlite_file import SqliteFile
from service.adapters.ledger.sqlite_rows import Rows
from service.adapters.ledger.sqlite_tasks import SqliteTasks
from service.adapters.ledger.tenure import Tenure
from service.core import ledger
from service.core.ledger import (
    Claim,
    Entry,
    EntryDamaged,
    Found,
    Known,
    LedgerUnavailable,
    Permit,
    SubmittedRecord,
    Terms,
)
from service.core.pending_task import Follow
from service.settings.groups import Synchronous

PURGE_INTERVAL = 10.0
# Less than a caller waits, so that it hears the reason.
_BUSY_SHARE = 0.8

T = TypeVar("T")
Transition = Callable[[Entry | None, Terms], tuple[T, Entry | None]]


class SqliteLedger:
    """Keeps port `Ledger`. Every transition is a read and a write in one transaction that locks out other writers.

    What cannot be read stays as it is, for the operator to look at, until a task id takes its place.
    """

    def __init__(self, commits: GroupCommit[Rows], tenure: Tenure) -> None:
        self._commits = commits
        self._tenure = tenure
        self._purge_at = tenure.clock.monotonic()
        self.tasks = SqliteTasks(commits, tenure)

    async def claim(self, request_id: str, attempt: int, permit: Permit) -> Claim:
        """Put the intent to make the `attempt`-th call on record, unless what is there forbids it."""
        # A claim that nobody waits for would only look like a call that was cut.
        return await self._run(
            request_id, lambda entry, terms: ledger.claim(entry, attempt, permit, terms), lapses=True
        )

    async def find(self, request_id: str) -> Found:
        """Tell what is known of a request, without a claim."""
        return await self._run(request_id, lambda entry, terms: (ledger.found(entry, terms), entry))

    async def release(self, request_id: str) -> None:
        """Take our intent off the record: the call was surely not accepted."""
        with suppress(EntryDamaged):
            await self._run(request_id, lambda entry, terms: (None, ledger.release(entry, terms)))

    async def record(self, request_id: str, known: Known, follow: Follow | None = None) -> None:
        """Put on record what a call came to, and the task to `follow`."""

        def carry_out(rows: Rows) -> None:
            if follow is not None:
                self.tasks.follow(rows, follow)
            unseen = isinstance(known, SubmittedRecord)
            self._carry_out(
                rows, request_id, lambda entry, terms: (None, ledger.record(entry, known, terms)), unseen=unseen
            )

        with suppress(EntryDamaged):
            await self._commits.run(carry_out)

    async def ping(self) -> None:
        """Write a transaction as a claim would."""
        await self._commits.run(Rows.ping)

    async def durability_warnings(self) -> tuple[str, ...]:
        """Say nothing: what `synchronous` promises is the operator's choice."""
        return ()

    async def _run(self, request_id: str, transition: Transition[T], *, lapses: bool = False) -> T:
        return await self._commits.run(
            lambda rows: self._carry_out(rows, request_id, transition), about=request_id, lapses=lapses
        )

    def _carry_out(self, rows: Rows, request_id: str, transition: Transition[T], *, unseen: bool = False) -> T:
        """Carry out a transition; one that is the same whatever is there may have it `unseen`."""
        terms = self._tenure.terms()
        self._purge_now_and_then(rows, terms)
        before = None if unseen else _read(rows, request_id)
        answer, after = transition(before, terms)
        if after != before:
            rows.write(request_id, after)
        return answer

    def _purge_now_and_then(self, rows: Rows, terms: Terms) -> None:
        now = self._tenure.clock.monotonic()
        if now >= self._purge_at:
            self._purge_at = now + PURGE_INTERVAL
            rows.purge(terms.now)


def _read(rows: Rows, request_id: str) -> Entry | None:
    try:
        return rows.read(request_id)
    except UnreadableRecordError:
        raise damaged(request_id) from None


@asynccontextmanager
async def sqlite_ledger(
    path: Path, tenure: Tenure, *, prefix: str, synchronous: Synchronous, patience: float
) -> AsyncIterator[SqliteLedger]:
    """Open the file, or make it; what was asked for is written before it is closed.

    `patience` is the longest wait for an answer, in seconds. Where the disk is full, or another process holds the file,
    it is opened later, and each operation says so until then.

    Raises:
        LedgerConfigurationError: the path can hold no ledger.
    """
    file = SqliteFile(path, prefix, synchronous, busy_timeout=patience * _BUSY_SHARE)
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(1, thread_name_prefix="ledger") as thread:
        with suppress(LedgerUnavailable):
            await loop.run_in_executor(thread, file.open)
        commits = GroupCommit(file.commit, thread, patience)
        try:
            yield SqliteLedger(commits, tenure)
        finally:
            await commits.flush()
            await loop.run_in_executor(thread, file.close)
