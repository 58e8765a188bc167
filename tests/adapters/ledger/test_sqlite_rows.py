import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from service.adapters.ledger.sqlite_file import SqliteFile
from service.adapters.ledger.sqlite_rows import Rows
from service.core.ledger import Entry, EntryState
from service.settings.groups import Synchronous
from tests.support.fakes import NEW_YEAR

REQUESTS = [f"request-{number}" for number in range(64)]


@dataclass
class About:
    """Keeps protocol `Operation`."""

    about: str | None
    work: Callable[[Rows], None]

    def __call__(self, rows: Rows) -> None:
        self.work(rows)


@pytest.fixture
def file(tmp_path: Path) -> Iterator[SqliteFile]:
    file = SqliteFile(tmp_path / "ledger.db", "p", Synchronous.FULL, 5.0)
    file.open()
    yield file
    file.close()


@pytest.fixture
def statements(file: SqliteFile) -> list[str]:
    """Everything that the file is asked for from now on, by its first word."""
    asked: list[str] = []
    assert isinstance(file._connection, sqlite3.Connection)
    file._connection.set_trace_callback(lambda text: asked.append(text.split()[0]))
    return asked


def entry(attempts: int = 1) -> Entry:
    return Entry(EntryState.IN_DOUBT, NEW_YEAR + timedelta(days=7), attempts, "here")


def claimed(request_id: str) -> About:
    def claim(rows: Rows) -> None:
        before = rows.read(request_id)
        rows.write(request_id, entry(1 if before is None else before.attempts + 1))

    return About(request_id, claim)


def found(file: SqliteFile, request_id: str) -> Entry | None:
    read: list[Entry | None] = []
    file.commit([About(None, lambda rows: read.append(rows.read(request_id)))])
    return read[0]


def test_many_claims_are_read_by_one_statement_and_written_by_one(file: SqliteFile, statements: list[str]) -> None:
    for _ in range(2):
        file.commit([claimed(request_id) for request_id in REQUESTS])

    assert statements == ["BEGIN", "SELECT", "INSERT", "COMMIT"] * 2
    assert {found(file, request_id) for request_id in REQUESTS} == {entry(attempts=2)}


def test_what_a_transaction_changed_is_what_it_reads(file: SqliteFile) -> None:
    read: list[Entry | None] = []
    look = About("r", lambda rows: read.append(rows.read("r")))
    remove = About(None, lambda rows: rows.write("r", None))

    file.commit([claimed("r"), look, claimed("r"), look, remove, look])

    assert read == [entry(1), entry(2), None]
    assert found(file, "r") is None


def test_an_entry_that_is_removed_and_made_anew_in_one_transaction_stays(file: SqliteFile) -> None:
    file.commit([claimed("r"), claimed("other")])

    file.commit([About("r", lambda rows: rows.write("r", None)), claimed("r"), About("other", _remove("other"))])

    assert found(file, "r") == entry(1)
    assert found(file, "other") is None


def test_what_expired_is_not_there_for_whoever_reads_after_the_purge(file: SqliteFile) -> None:
    file.commit([claimed("r")])
    read: list[Entry | None] = []

    def purge_and_read(rows: Rows) -> None:
        rows.purge(NEW_YEAR + timedelta(days=8))
        read.append(rows.read("r"))

    file.commit([About("r", purge_and_read)])

    assert read == [None]


def _remove(request_id: str) -> Callable[[Rows], None]:
    return lambda rows: rows.write(request_id, None)
