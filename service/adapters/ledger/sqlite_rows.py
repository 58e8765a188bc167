"""Ledger entries as rows of SQLite tables."""

import sqlite3
from datetime import UTC, datetime, timedelta

from service.adapters.ledger.record_text import (
    UnreadableRecordError,
    answer_text,
    read_answer,
    read_spent,
    read_submitted,
    spent_text,
    submitted_text,
)
from service.core.ledger import Entry, EntryState

APPLICATION_ID = 0x5647_4C31
VERSION = 1
# Instants are microseconds since 1970. Request ids and names of replays are any text, which only a blob can hold.
SCHEMA = (
    """
    CREATE TABLE entry (
        prefix TEXT NOT NULL, request_id BLOB NOT NULL, state TEXT NOT NULL, expires INTEGER NOT NULL,
        attempts INTEGER NOT NULL, holder TEXT NOT NULL, lease_until INTEGER, submitted TEXT, answer TEXT NOT NULL,
        doubt INTEGER NOT NULL, replay BLOB, spent TEXT NOT NULL, PRIMARY KEY (prefix, request_id)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX entry_by_expiry ON entry (expires)",
    "CREATE TABLE probe (pings INTEGER NOT NULL)",
    "INSERT INTO probe VALUES (0)",
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {VERSION}",
)
# Tasks that are followed came later. A release that does not know them leaves them alone, so the format has its number.
TASK_SCHEMA = (
    """
    CREATE TABLE IF NOT EXISTS task (
        prefix TEXT NOT NULL, task_id BLOB NOT NULL, due INTEGER NOT NULL, task BLOB NOT NULL,
        PRIMARY KEY (prefix, task_id)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX IF NOT EXISTS task_by_due ON task (prefix, due)",
)
PURGED_AT_ONCE = 500

_SELECT = """
    SELECT state, expires, attempts, holder, lease_until, submitted, answer, doubt, replay, spent
    FROM entry WHERE prefix = ? AND request_id = ?
"""
_REPLACE = "INSERT OR REPLACE INTO entry VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_DELETE = "DELETE FROM entry WHERE prefix = ? AND request_id = ?"
_PURGE = """
    DELETE FROM entry WHERE (prefix, request_id) IN
    (SELECT prefix, request_id FROM entry WHERE expires <= ? ORDER BY expires LIMIT ?)
"""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Rows:
    """The entries of one prefix, inside a transaction of `connection`. Raises `sqlite3.Error`."""

    def __init__(self, connection: sqlite3.Connection, prefix: str) -> None:
        self.connection = connection
        # Left to itself, a text that is no UTF-8 fails like a broken file: for all, not for its own row.
        self.connection.text_factory = _text
        self.prefix = prefix

    def read(self, request_id: str) -> Entry | None:
        """Fetch an entry.

        Raises:
            UnreadableRecordError: the row is damaged.
        """
        try:
            row = self.connection.execute(_SELECT, self._key(request_id)).fetchone()
            return None if row is None else _entry(row)
        except (ValueError, OverflowError) as error:
            raise UnreadableRecordError from error

    def write(self, request_id: str, entry: Entry | None) -> None:
        """Keep an entry; None removes it."""
        if entry is None:
            self.connection.execute(_DELETE, self._key(request_id))
        else:
            self.connection.execute(_REPLACE, (*self._key(request_id), *_row(entry)))

    def purge(self, now: datetime) -> None:
        """Remove a portion of what has expired, whichever prefix it belongs to."""
        self.connection.execute(_PURGE, (_microseconds(now), PURGED_AT_ONCE))

    def ping(self) -> None:
        """Change a row, so that the transaction has something to write."""
        self.connection.execute("UPDATE probe SET pings = pings + 1")

    def _key(self, request_id: str) -> tuple[str, bytes]:
        return (self.prefix, _blob(request_id))


def _row(entry: Entry) -> tuple[object, ...]:
    return (
        entry.state.value,
        _microseconds(entry.expires),
        entry.attempts,
        entry.holder,
        None if entry.lease_until is None else _microseconds(entry.lease_until),
        None if entry.submitted is None else submitted_text(entry.submitted),
        answer_text(entry.answer),
        entry.doubt,
        None if entry.replay is None else _blob(entry.replay),
        spent_text(entry.spent),
    )


def _entry(row: tuple[object, ...]) -> Entry:
    match row:
        case (
            str(state),
            int(expires),
            int(attempts),
            str(holder),
            int() | None as lease_until,
            str() | None as submitted,
            str(answer),
            int(doubt),
            bytes() | None as replay,
            str(spent),
        ) if attempts >= 0 and _is_whole(state, lease_until, submitted):
            return Entry(
                EntryState(state),
                _instant(expires),
                attempts,
                holder,
                None if lease_until is None else _instant(lease_until),
                None if submitted is None else read_submitted(submitted),
                read_answer(answer),
                bool(doubt),
                None if replay is None else replay.decode("utf-8", "surrogatepass"),
                read_spent(spent),
            )
        case _:
            raise UnreadableRecordError


def _is_whole(state: str, lease_until: int | None, submitted: str | None) -> bool:
    match state:
        case EntryState.CALLING:
            return lease_until is not None
        case EntryState.SUBMITTED:
            return submitted is not None
        case _:
            return state == EntryState.IN_DOUBT


def _text(raw: bytes) -> str:
    return raw.decode("utf-8")


def _blob(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _microseconds(instant: datetime) -> int:
    return (instant - _EPOCH) // _MICROSECOND


def _instant(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)
