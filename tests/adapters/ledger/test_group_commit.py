import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from service.adapters.ledger.group_commit import GroupCommit, Operation
from service.adapters.ledger.sqlite_file import SqliteFile
from service.adapters.ledger.sqlite_rows import Rows
from service.core.ledger import EntryDamaged, LedgerUnavailable
from service.settings.groups import Synchronous

PATIENCE = 10.0
NONE = 0.0


class Disk:
    """Takes whole batches, and notes what each held; may be slow or broken."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.open = threading.Event()
        self.open.set()
        self.reached = threading.Event()
        self.failure: Exception | None = None

    def commit(self, operations: Sequence[Callable[[list[str]], None]]) -> None:
        self.reached.set()
        assert self.open.wait(PATIENCE)
        batch: list[str] = []
        for operation in operations:
            operation(batch)
        if self.failure is not None:
            raise self.failure
        self.batches.append(batch)


def note(text: str) -> Callable[[list[str]], str]:
    def operation(batch: list[str]) -> str:
        batch.append(text)
        return text.upper()

    return operation


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
def thread() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as thread:
        yield thread


async def test_what_gathers_during_a_commit_goes_into_the_next(disk: Disk, thread: ThreadPoolExecutor) -> None:
    commits = GroupCommit(disk.commit, thread, PATIENCE)
    disk.open.clear()
    first = asyncio.create_task(commits.run(note("a")))
    await asyncio.to_thread(disk.reached.wait)
    others = [asyncio.create_task(commits.run(note(text))) for text in "bcd"]
    await asyncio.sleep(0)
    disk.open.set()
    assert await asyncio.gather(first, *others) == ["A", "B", "C", "D"]
    assert disk.batches == [["a"], ["b", "c", "d"]]


async def test_many_claims_at_once_cost_few_commits_on_a_real_file(tmp_path: Path, thread: ThreadPoolExecutor) -> None:
    file = SqliteFile(tmp_path / "ledger.db", "p", Synchronous.FULL, PATIENCE)
    sizes: list[int] = []

    def commit(operations: Sequence[Operation[Rows]]) -> None:
        sizes.append(len(operations))
        file.commit(operations)

    commits = GroupCommit(commit, thread, PATIENCE)
    await asyncio.gather(*(commits.run(Rows.ping) for _ in range(500)))
    await asyncio.get_running_loop().run_in_executor(thread, file.close)
    assert sum(sizes) == 500
    assert len(sizes) <= 9


async def test_no_commit_is_so_large_that_the_first_wait_long_for_the_last(
    disk: Disk, thread: ThreadPoolExecutor
) -> None:
    commits = GroupCommit(disk.commit, thread, PATIENCE)
    texts = [f"entry {number}" for number in range(300)]
    await asyncio.gather(*(commits.run(note(text)) for text in texts))
    assert [text for batch in disk.batches for text in batch] == texts
    assert max(map(len, disk.batches)) == 64


async def test_who_comes_alone_waits_for_nobody_and_who_comes_soon_after_waits_for_more(
    disk: Disk, thread: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    sleep = asyncio.sleep

    async def noted(seconds: float) -> None:
        waits.append(seconds)
        await sleep(seconds)

    monkeypatch.setattr("service.adapters.ledger.group_commit.asyncio.sleep", noted)
    commits = GroupCommit(disk.commit, thread, PATIENCE)
    await commits.run(note("first"))
    assert waits == []
    await commits.run(note("second"))
    assert len(waits) == 1
    assert disk.batches == [["first"], ["second"]]


async def test_where_the_transaction_fails_each_of_the_batch_hears_it(disk: Disk, thread: ThreadPoolExecutor) -> None:
    commits = GroupCommit(disk.commit, thread, PATIENCE)
    disk.failure = LedgerUnavailable("the disk is full")
    ended = await asyncio.gather(*(commits.run(note(text)) for text in "ab"), return_exceptions=True)
    assert [str(error) for error in ended] == ["the disk is full"] * 2
    assert all(isinstance(error, LedgerUnavailable) for error in ended)
    assert ended[0] is not ended[1]
    disk.failure = None
    assert await commits.run(note("c")) == "C"


async def test_a_defect_is_raised_and_the_next_batch_goes_on(disk: Disk, thread: ThreadPoolExecutor) -> None:
    commits = GroupCommit(disk.commit, thread, PATIENCE)
    disk.failure = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        await commits.run(note("a"))
    disk.failure = None
    assert await commits.run(note("b")) == "B"


async def test_an_operation_that_meets_a_damaged_entry_spoils_no_other(disk: Disk, thread: ThreadPoolExecutor) -> None:
    def damaged(_batch: list[str]) -> None:
        raise EntryDamaged("damaged")

    commits = GroupCommit(disk.commit, thread, PATIENCE)
    ended = await asyncio.gather(commits.run(damaged), commits.run(note("b")), return_exceptions=True)
    assert isinstance(ended[0], EntryDamaged)
    assert ended[1] == "B"


async def test_where_the_transaction_fails_a_damaged_entry_is_no_longer_what_matters(
    disk: Disk, thread: ThreadPoolExecutor
) -> None:
    def damaged(_batch: list[str]) -> None:
        raise EntryDamaged("damaged")

    commits = GroupCommit(disk.commit, thread, PATIENCE)
    disk.failure = LedgerUnavailable("the disk is full")
    with pytest.raises(LedgerUnavailable):
        await commits.run(damaged)


async def test_nobody_waits_longer_than_patience_and_what_was_asked_is_done_in_order(
    disk: Disk, thread: ThreadPoolExecutor
) -> None:
    commits = GroupCommit(disk.commit, thread, NONE)
    disk.open.clear()
    for text in "abc":
        with pytest.raises(LedgerUnavailable, match="within 0 s"):
            await commits.run(note(text))
    disk.open.set()
    await commits.flush()
    assert [text for batch in disk.batches for text in batch] == ["a", "b", "c"]


async def test_what_lapses_is_not_begun_for_nobody(disk: Disk, thread: ThreadPoolExecutor) -> None:
    commits = GroupCommit(disk.commit, thread, PATIENCE)
    disk.open.clear()
    first = asyncio.create_task(commits.run(note("first")))
    await asyncio.to_thread(disk.reached.wait)
    claim = asyncio.create_task(commits.run(note("claim"), lapses=True))
    record = asyncio.create_task(commits.run(note("record")))
    await asyncio.sleep(0)
    claim.cancel()
    record.cancel()
    disk.open.set()
    await first
    await commits.flush()
    assert disk.batches == [["first"], ["record"]]
