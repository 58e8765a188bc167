"""Why SQLite did not take a transaction, and what to do."""

import sqlite3
from pathlib import Path

_PRIMARY = 0xFF

_UNUSABLE = {
    sqlite3.SQLITE_NOTADB: "{path} is no SQLite database: name another file, or move this one away",
    sqlite3.SQLITE_CORRUPT: "{path} is damaged: move it away with its -wal and -shm to begin anew; see docs/ledger.md",
    sqlite3.SQLITE_READONLY: "{path} cannot be written: give the worker the right to write the file and its folder",
    sqlite3.SQLITE_CANTOPEN: "{path} cannot be opened: check that its folder exists and the worker may write there",
    sqlite3.SQLITE_PERM: "{path} cannot be opened: give the worker the right to write the file and its folder",
}
_PASSING = {
    sqlite3.SQLITE_FULL: "the disk of the ledger {path} is full: make room on it",
    sqlite3.SQLITE_BUSY: "another process holds the ledger {path}: look for a tool or a backup that keeps it locked",
    sqlite3.SQLITE_IOERR: "the disk of the ledger {path} does not read or write: check the disk, and the room on it",
}


def unusable(error: sqlite3.Error, path: Path) -> str | None:
    """Say why the file can be no ledger as it is; None where the trouble may pass by itself."""
    text = _UNUSABLE.get(_code(error))
    return text.format(path=path) if text else None


def failure(error: sqlite3.Error, path: Path) -> str:
    """Say in one line why a transaction failed."""
    text = (_UNUSABLE | _PASSING).get(_code(error))
    if text:
        return text.format(path=path)
    return f"the ledger {path} did not take a record ({error}): check the file and its disk"


def _code(error: sqlite3.Error) -> int:
    # Extended codes carry the primary one in their lowest byte. Errors of the Python module have none.
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK) & _PRIMARY
