"""One SQLite file: opened, checked, and opened again after a failure. For use by one thread."""

import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from service.adapters.ledger.errors import LedgerConfigurationError, misconfigured
from service.adapters.ledger.group_commit import Operation
from service.adapters.ledger.sqlite_failure import failure, unusable
from service.adapters.ledger.sqlite_rows import APPLICATION_ID, SCHEMA, TASK_SCHEMA, VERSION, Rows
from service.core.ledger import LedgerUnavailable
from service.settings.groups import Synchronous

_WAL_RETRY = 0.02


class SqliteFile:
    """Commits batches. `busy_timeout` is the longest wait for the lock of another process, in seconds."""

    def __init__(self, path: Path, prefix: str, synchronous: Synchronous, busy_timeout: float) -> None:
        self._path = path.absolute()
        self._prefix = prefix
        self._synchronous = synchronous
        self._busy_timeout = busy_timeout
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None

    def open(self) -> None:
        """Open the file; make it where there is none.

        Raises:
            LedgerConfigurationError: it can be no ledger, or its folder is missing or closed to us.
            LedgerUnavailable: its disk is full, or another process holds it.
        """
        if not self._path.parent.is_dir():
            raise misconfigured(f"the folder {self._path.parent} does not exist: make it, or name another")
        try:
            self._connect()
        except sqlite3.Error as error:
            reason = unusable(error, self._path)
            if reason is not None:
                raise misconfigured(reason) from error
            raise LedgerUnavailable(failure(error, self._path)) from error

    def commit(self, operations: Sequence[Operation[Rows]]) -> None:
        """Carry out all operations in one transaction, or none of them.

        Raises:
            LedgerUnavailable: the transaction failed. The file is opened again for the next one.
        """
        try:
            connection = self._connected()
            connection.execute("BEGIN IMMEDIATE")
            rows = Rows(connection, self._prefix)
            rows.fetch([operation.about for operation in operations if operation.about is not None])
            for operation in operations:
                operation(rows)
            rows.flush()
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            self.close()
            raise LedgerUnavailable(failure(error, self._path)) from error
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the file; an unfinished transaction is undone."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _connected(self) -> sqlite3.Connection:
        # SQLite would go on writing into a file that was removed.
        if self._connection is not None and self._identity_on_disk() == self._identity:
            return self._connection
        self.close()
        if self._identity is not None and self._identity_on_disk() is None:
            raise LedgerUnavailable(
                f"the ledger {self._path} was removed: put it back, or restart the worker to begin with an empty one"
            )
        try:
            return self._connect()
        except LedgerConfigurationError as error:
            raise LedgerUnavailable(str(error)) from error

    def _connect(self) -> sqlite3.Connection:
        # A ledger that was there before is never made anew: what it knew would be forgotten.
        mode = "rwc" if self._identity is None else "rw"
        connection = sqlite3.connect(
            f"{self._path.as_uri()}?mode={mode}", uri=True, timeout=self._busy_timeout, isolation_level=None
        )
        try:
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        self._identity = self._identity_on_disk()
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        is_ours = self._check(connection)
        self._enter_wal(connection)
        connection.execute(f"PRAGMA synchronous = {self._synchronous.value}")
        connection.execute("BEGIN IMMEDIATE")
        # Another process may have made the tables in the meantime.
        if not is_ours and not self._check(connection):
            for statement in SCHEMA:
                connection.execute(statement)
        for statement in TASK_SCHEMA:
            connection.execute(statement)
        # A file that cannot be written shows only now.
        Rows(connection, self._prefix).ping()
        connection.execute("COMMIT")

    def _check(self, connection: sqlite3.Connection) -> bool:
        """Tell whether the file is a ledger already, or may become one."""
        application = _pragma(connection, "application_id")
        version = _pragma(connection, "user_version")
        if application == APPLICATION_ID:
            if version != VERSION:
                raise misconfigured(
                    f"{self._path} was written by a newer version of the worker (format {version}, this one knows "
                    f"{VERSION}): install that version, or name another file"
                )
            return True
        if self._identity is not None or connection.execute("SELECT 1 FROM sqlite_master").fetchone():
            raise misconfigured(f"{self._path} is no ledger of this worker: name another file")
        return False

    def _enter_wal(self, connection: sqlite3.Connection) -> None:
        """Switch to write-ahead logging. The busy timeout does not cover this statement, so it is repeated here."""
        give_up = time.monotonic() + self._busy_timeout
        while True:
            try:
                connection.execute("PRAGMA journal_mode = wal")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > give_up:
                    raise
                time.sleep(_WAL_RETRY)
            else:
                return

    def _identity_on_disk(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return (found.st_dev, found.st_ino)


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    with closing(connection.execute(f"PRAGMA {name}")) as cursor:
        (value,) = cursor.fetchone()
    return int(value)
