"""Ledger entries as rows of SQLite tables."""

import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import chain

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
_SELECT_ALL = """
    SELECT request_id, state, expires, attempts, holder, lease_until, submitted, answer, doubt, replay, spent
    FROM entry WHERE prefix = ? AND request_id IN ({})
"""
_REPLACE = "INSERT OR REPLACE INTO entry VALUES {}"
_ROW = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_DELETE = "DELETE FROM entry WHERE prefix = ? AND request_id = ?"
_PURGE = """
    DELETE FROM entry WHERE (prefix, request_id) IN
    (SELECT prefix, request_id FROM entry WHERE expires <= ? ORDER BY expires LIMIT ?)
"""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Rows:
    """The entries of one prefix, inside a transaction of `connection`. Raises `sqlite3.Error`.

    Each statement gives the interpreter away and waits until the event loop's thread gives it back, which may take
    5 ms. So what a transaction needs is fetched by one statement, and what it changed is written by one.
    """

    def __init__(self, connection: sqlite3.Connection, prefix: str) -> None:
        self.connection = connection
        # Left to itself, a text that is no UTF-8 fails like a broken file: for all, not for its own row.
        self.connection.text_factory = _text
        self.prefix = prefix
        self._fetched: dict[bytes, tuple[object, ...] | None] = {}
        self._changed: dict[bytes, Entry | None] = {}

    def fetch(self, request_ids: Sequence[str]) -> None:
        """Have these entries at hand when they are read."""
        keys = {_blob(request_id) for request_id in request_ids}
        if not keys:
            return
        with suppress(ValueError):  # one of them is damaged: each is read alone
            found = self.connection.execute(_SELECT_ALL.format(_list("?", len(keys))), (self.prefix, *keys)).fetchall()
            self._fetched = dict.fromkeys(keys) | {key: row for key, *row in found}

    def read(self, request_id: str) -> Entry | None:
        """Fetch an entry.

        Raises:
            UnreadableRecordError: the row is damaged.
        """
        key = _blob(request_id)
        if key in self._changed:
            return self._changed[key]
        try:
            row = self._fetched[key] if key in self._fetched else self._read_alone(key)
            return None if row is None else _entry(row)
        except (ValueError, OverflowError) as error:
            raise UnreadableRecordError from error

    def _read_alone(self, key: bytes) -> tuple[object, ...] | None:
        row: tuple[object, ...] | None = self.connection.execute(_SELECT, (self.prefix, key)).fetchone()
        return row

    def write(self, request_id: str, entry: Entry | None) -> None:
        """Keep an entry, from `flush` on; None removes it."""
        self._changed[_blob(request_id)] = entry

    def flush(self) -> None:
        """Write what was kept. Nothing is read or kept after that."""
        kept = [(self.prefix, key, *_row(entry)) for key, entry in self._changed.items() if entry is not None]
        if kept:
            self.connection.execute(_REPLACE.format(_list(_ROW, len(kept))), [*chain.from_iterable(kept)])
        for key, entry in self._changed.items():
            if entry is None:
                self.connection.execute(_DELETE, (self.prefix, key))

    def purge(self, now: datetime) -> None:
        """Remove a portion of what has expired, whichever prefix it belongs to."""
        self.connection.execute(_PURGE, (_microseconds(now), PURGED_AT_ONCE))
        self._fetched.clear()

    def ping(self) -> None:
        """Change a row, so that the transaction has something to write."""
        self.connection.execute("UPDATE probe SET pings = pings + 1")


def _list(part: str, length: int) -> str:
    return ", ".join([part] * length)


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
