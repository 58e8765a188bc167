import asyncio
import resource
import shutil
import sqlite3
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, closing, contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from service.adapters.ledger.opening import OpenLedger, open_ledger
from service.adapters.ledger.sqlite import PURGE_INTERVAL
from service.adapters.ledger.sqlite_file import SqliteFile
from service.core.call import Answer
from service.core.ledger import Claimed, DoubtRecord, LedgerUnavailable, Permit, SubmittedRecord
from service.core.pending_task import Follow, PendingTask
from service.settings import LedgerSettings
from service.settings.groups import Synchronous
from tests.support.fakes import NEW_YEAR, FakeClock

MIB = 1024 * 1024
DAY = 86_400.0
DOUBT = DoubtRecord(Answer(), 1)
LARGE = DoubtRecord(Answer(None, None, "x" * 2 * MIB), 1)
SHORT = 1.0


def opened(path: Path, clock: FakeClock, patience: float = 5.0) -> AbstractAsyncContextManager[OpenLedger]:
    settings = LedgerSettings(url=SecretStr(f"sqlite:///{path}"), timeout=patience, retention=DAY)
    return open_ledger(settings, holder="a", lease=timedelta(minutes=1), prefix="p", clock=clock)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
async def ledger(path: Path, clock: FakeClock) -> AsyncIterator[OpenLedger]:
    async with opened(path, clock) as ledger:
        yield ledger


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep every other writer out, as a backup or a tool may."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def rows(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        (count,) = connection.execute("SELECT count(*) FROM entry").fetchone()
    return int(count)


async def test_records_are_there_after_a_restart(path: Path, clock: FakeClock) -> None:
    async with opened(path, clock) as ledger:
        await ledger.record("r", DOUBT)
    async with opened(path, clock) as ledger:
        assert await ledger.find("r") == DOUBT


async def test_what_was_asked_for_is_written_before_the_file_is_closed(path: Path, clock: FakeClock) -> None:
    async with opened(path, clock) as ledger:
        asked = asyncio.create_task(ledger.record("r", DOUBT))
        await asyncio.sleep(0)
        asked.cancel()
    # SQLite removes its log when the last connection is closed.
    assert not path.with_name("ledger.db-wal").exists()
    async with opened(path, clock) as ledger:
        assert await ledger.find("r") == DOUBT


async def follow(ledger: OpenLedger, task_id: str) -> None:
    task = PendingTask(task_id, "r", "m", NEW_YEAR, "c")
    await ledger.record("r", SubmittedRecord(task_id, "m", 1, NEW_YEAR), Follow(task, first=0.0))


async def test_a_file_from_before_tasks_were_followed_takes_them(path: Path, clock: FakeClock) -> None:
    async with opened(path, clock) as ledger:
        await ledger.record("r", DOUBT)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("DROP TABLE task")
    async with opened(path, clock) as ledger:
        assert await ledger.find("r") == DOUBT
        await follow(ledger, "task-1")
        task = await ledger.tasks.take()
        assert task is not None
        assert task.task_id == "task-1"


@pytest.mark.parametrize("damage", ["x'ff'", "'text'", "x''"])
async def test_a_damaged_task_is_passed_over_and_keeps_nobody_else_waiting(
    path: Path, ledger: OpenLedger, damage: str
) -> None:
    for task_id in ("task-1", "task-2"):
        await follow(ledger, task_id)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"UPDATE task SET task = {damage} WHERE task_id = CAST('task-1' AS BLOB)")
    taken = [await ledger.tasks.take() for _ in range(2)]
    assert [task and task.task_id for task in taken] == ["task-2", None]
    assert await ledger.tasks.count() == 2


@pytest.mark.parametrize("refusing", ["entry", "task"])
async def test_a_record_and_its_task_are_written_together_or_not_at_all(
    path: Path, clock: FakeClock, refusing: str
) -> None:
    async with opened(path, clock) as ledger:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute(f"CREATE TRIGGER no BEFORE INSERT ON {refusing} BEGIN SELECT RAISE(ABORT, 'no'); END")
            with pytest.raises(LedgerUnavailable):
                await follow(ledger, "task-1")
            connection.execute("DROP TRIGGER no")
        assert await ledger.find("r") is None
        assert await ledger.tasks.count() == 0


async def test_a_record_that_is_undone_takes_its_task_along(path: Path, clock: FakeClock) -> None:
    async with opened(path, clock, SHORT) as ledger:
        with locked(path), pytest.raises(LedgerUnavailable):
            await follow(ledger, "task-1")
        assert await ledger.find("r") is None
        assert await ledger.tasks.count() == 0


@pytest.mark.parametrize(("synchronous", "level"), [(Synchronous.NORMAL, 1), (Synchronous.FULL, 2)])
def test_the_setting_decides_what_a_record_survives(path: Path, synchronous: Synchronous, level: int) -> None:
    file = SqliteFile(path, "p", synchronous, SHORT)
    with closing(file):
        file.open()
        assert file._connection is not None
        assert file._connection.execute("PRAGMA synchronous").fetchone() == (level,)
        assert file._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


async def test_a_ping_writes(path: Path, ledger: OpenLedger) -> None:
    with closing(sqlite3.connect(path)) as observer:
        before = observer.execute("PRAGMA data_version").fetchone()
        await ledger.ping()
        assert observer.execute("PRAGMA data_version").fetchone() != before


async def test_a_locked_file_is_unavailable_until_it_is_free(path: Path, clock: FakeClock) -> None:
    async with opened(path, clock, SHORT) as ledger:
        with locked(path):
            ended = await asyncio.gather(ledger.claim("r", 1, Permit()), ledger.ping(), return_exceptions=True)
        for error in ended:
            assert isinstance(error, LedgerUnavailable)
            assert f"another process holds the ledger {path}" in str(error)
        assert await ledger.claim("r", 1, Permit()) == Claimed()


async def test_a_file_that_is_locked_at_the_start_is_opened_later(path: Path, clock: FakeClock) -> None:
    async with opened(path, clock):
        pass
    with locked(path):
        late = opened(path, clock, SHORT)
        ledger = await late.__aenter__()
        with pytest.raises(LedgerUnavailable, match="another process holds"):
            await ledger.ping()
    assert await ledger.claim("r", 1, Permit()) == Claimed()
    await late.__aexit__(None, None, None)


async def test_a_file_that_was_removed_counts_as_away_and_is_not_made_anew(
    path: Path, ledger: OpenLedger, tmp_path: Path
) -> None:
    await ledger.record("r", DOUBT)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(truncate)")
    aside = tmp_path / "aside.db"
    shutil.move(path, aside)
    for _ in range(2):
        with pytest.raises(LedgerUnavailable, match="was removed: put it back"):
            await ledger.claim("r", 1, Permit())
    shutil.move(aside, path)
    assert await ledger.claim("r", 1, Permit()) == DOUBT


async def test_a_file_that_was_replaced_by_something_else_is_unavailable(path: Path, ledger: OpenLedger) -> None:
    shutil.copy("/dev/null", path.with_name("empty"))
    shutil.move(path.with_name("empty"), path)
    with pytest.raises(LedgerUnavailable, match="is no ledger of this worker"):
        await ledger.ping()


async def test_a_write_that_fails_leaves_nothing_of_its_batch(ledger: OpenLedger) -> None:
    with no_file_larger_than(MIB):
        ended = await asyncio.gather(
            ledger.claim("small", 1, Permit()), ledger.record("large", LARGE), return_exceptions=True
        )
        assert [type(error) for error in ended] == [LedgerUnavailable] * 2
        assert "does not read or write: check the disk, and the room on it" in str(ended[0])
        assert await ledger.find("small") is None
    await ledger.record("large", LARGE)
    assert await ledger.find("large") == LARGE


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], check=False, capture_output=True, text=True
    )
    if mounted.returncode != 0:
        pytest.skip(f"only root may mount a small disk; a limit on file sizes stands in ({mounted.stderr.strip()})")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


@contextmanager
def no_room_on(folder: Path) -> Iterator[None]:
    ballast = folder / "ballast"
    with ballast.open("ab", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"x" * 512)
    try:
        yield
    finally:
        ballast.unlink()


async def test_a_full_disk_is_unavailable_until_there_is_room(small_disk: Path, clock: FakeClock) -> None:
    async with opened(small_disk / "ledger.db", clock) as ledger:
        await ledger.record("r", DOUBT)
        with no_room_on(small_disk):
            for operation in (ledger.claim("s", 1, Permit()), ledger.ping()):
                with pytest.raises(LedgerUnavailable, match="is full: make room on it"):
                    await operation
        await ledger.ping()
        assert await ledger.find("r") == DOUBT


async def test_what_has_expired_is_removed_in_time(path: Path, ledger: OpenLedger, clock: FakeClock) -> None:
    await asyncio.gather(*(ledger.record(str(number), DOUBT) for number in range(3)))
    clock.advance(DAY / 2)
    await ledger.record("young", DOUBT)
    assert rows(path) == 4
    clock.advance(DAY / 2)
    await ledger.find("young")
    assert rows(path) == 1


async def test_what_has_expired_is_looked_for_now_and_then(path: Path, ledger: OpenLedger, clock: FakeClock) -> None:
    await ledger.record("old", DOUBT)
    clock.advance(DAY - 1)
    await ledger.find("r")
    clock.advance(1)
    await ledger.find("r")
    assert rows(path) == 1
    clock.advance(PURGE_INTERVAL)
    await ledger.find("r")
    assert rows(path) == 0


async def test_a_damaged_entry_is_removed_too_when_it_has_expired(
    path: Path, ledger: OpenLedger, clock: FakeClock
) -> None:
    await ledger.record("r", DOUBT)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE entry SET state = 'odd'")
        connection.commit()
    clock.advance(DAY)
    assert await ledger.claim("r", 1, Permit()) == Claimed()


async def test_there_is_nothing_to_warn_of(ledger: OpenLedger) -> None:
    assert await ledger.durability_warnings() == ()
