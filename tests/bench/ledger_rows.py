"""A SQLite ledger that has been in use for long: one true entry, and copies of it under other request ids."""

import asyncio
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

from pydantic import SecretStr

from service.adapters.ledger.opening import open_ledger
from service.adapters.system import SystemClock
from service.core.ledger import Permit, SubmittedRecord
from service.settings import LedgerSettings

_SECONDS_APART = 1_000_000
"""Entries expire one by one, as they were made; in microseconds."""


async def fill_ledger(path: Path, prefix: str, rows: int) -> None:
    """Make a ledger with so many entries."""
    await _one_entry(path, prefix)
    await asyncio.to_thread(_copy, path, rows)


async def _one_entry(path: Path, prefix: str) -> None:
    settings = LedgerSettings(url=SecretStr(f"sqlite:///{path}"))
    lease = timedelta(minutes=1)
    clock = SystemClock()
    async with open_ledger(settings, holder="bench", lease=lease, prefix=prefix, clock=clock) as ledger:
        await ledger.claim("first", 1, Permit())
        task_id = "5eed0000-0000-4000-8000-000000000000"
        await ledger.record("first", SubmittedRecord(task_id, "wan2.2-t2v-plus", 1, clock.now()))


def _copy(path: Path, rows: int) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(entry)")]
        made_up = {
            "request_id": "CAST(lower(hex(randomblob(16))) AS BLOB)",
            "expires": f"expires + number * {_SECONDS_APART}",
        }
        chosen = ", ".join(made_up.get(column, column) for column in columns)
        connection.execute(
            "WITH RECURSIVE numbers(number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM numbers WHERE number < ?) "
            f"INSERT INTO entry SELECT {chosen} FROM entry, numbers",
            (rows,),
        )
