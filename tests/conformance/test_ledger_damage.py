"""What becomes of an entry that cannot be read, in every store that others can reach: it concerns its request alone."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol
from uuid import uuid4

import pytest
import redis.asyncio

from service.adapters.ledger.opening import OpenLedger
from service.core.call import Answer
from service.core.ledger import Claimed, DoubtRecord, EntryDamaged, Permit, SubmittedRecord
from tests.support.ledgers import RedisStage, SqliteStage

PERMITS = [Permit(), Permit(resend=True), Permit(replay="x")]
SUBMITTED = SubmittedRecord("task-1", "wan2.2-t2v-plus", 2, datetime(2026, 1, 1, tzinfo=UTC))
DOUBT = DoubtRecord(Answer(504, "GatewayTimeout", "nobody answered"), 1)
LATER_DOUBT = DoubtRecord(Answer(), 2)
LARGEST = 2**63 - 1
MISTYPED = {
    "status": '{"http_status": "504", "code": null, "message": null}',
    "code": '{"http_status": 504, "code": 1, "message": null}',
    "message": '{"http_status": 504, "code": null, "message": 1}',
}

ROWS: Mapping[str, str] = {
    "an unknown state": "state = 'odd'",
    "a state of another type": "state = x'63616c6c696e67'",
    "a call without a lease": "state = 'calling'",
    "a lease that is no number": "state = 'calling', lease_until = 'soon'",
    "a lease beyond every date": f"state = 'calling', lease_until = {LARGEST}",
    "an expiry beyond every date": f"expires = {LARGEST}",
    "submitted without a record": "state = 'submitted'",
    "a record that is cut": """state = 'submitted', submitted = '{"task_id": "tas'""",
    "a record of another kind": "state = 'submitted', submitted = '[]'",
    "attempts that are no number": "attempts = 'x'",
    "attempts below zero": "attempts = -1",
    "an answer that is cut": "answer = '{'",
    "an answer of another kind": """answer = '{"other": 1}'""",
    **{f"an answer with a mistyped {name}": f"answer = '{answer}'" for name, answer in MISTYPED.items()},
    "an answer nested too deep": f"answer = '{'[' * 100_000}'",
    "an answer that is no UTF-8": "answer = CAST(x'ff' AS TEXT)",
    "a replay that is no UTF-8": "replay = x'ff'",
    "spent replays of another kind": "spent = '{}'",
}
# Redis commands, without the key that each is about.
COMMANDS: Mapping[str, tuple[tuple[str | bytes, ...], ...]] = {
    "an unknown state": (("HSET", "state", "odd"),),
    "no state": (("HDEL", "state"),),
    "a call without a lease": (("HSET", "state", "calling", "turn", "1"),),
    "a lease that is no number": (("HSET", "state", "calling", "turn", "1", "lease_until", "soon"),),
    "a lease beyond every date": (("HSET", "state", "calling", "turn", "1", "lease_until", "9" * 400),),
    "a call without a turn": (("HSET", "state", "calling", "lease_until", "0"),),
    "submitted without a record": (("HSET", "state", "submitted"),),
    "a record that is cut": (("HSET", "state", "submitted", "submitted", '{"task_id": "tas'),),
    "a record of another kind": (("HSET", "state", "submitted", "submitted", "[]"),),
    "attempts that are no number": (("HSET", "attempts", "x"),),
    "attempts below zero": (("HSET", "attempts", "-1"),),
    "an answer that is cut": (("HSET", "answer", "{"),),
    "an answer of another kind": (("HSET", "answer", '{"other": 1}'),),
    **{f"an answer with a mistyped {name}": (("HSET", "answer", answer),) for name, answer in MISTYPED.items()},
    "an answer nested too deep": (("HSET", "answer", "[" * 100_000),),
    "an answer that is no UTF-8": (("HSET", "answer", b'{"http_status": null, "code": "\xff", "message": null}'),),
    "a text in its place": (("DEL",), ("SET", "text")),
    "a list in its place": (("DEL",), ("RPUSH", "item")),
    "the hash of another program in its place": (("DEL",), ("HSET", "title", "song")),
}


class Store(Protocol):
    """A store in which the entry of request `r` is damaged."""

    ledger: OpenLedger

    async def content(self) -> object:
        """Fetch that entry as it is kept, to be compared with another time's."""
        ...


class SqliteStore:
    def __init__(self, ledger: OpenLedger, path: Path) -> None:
        self.ledger = ledger
        self._path = path

    def damage(self, how: str) -> None:
        with closing(sqlite3.connect(self._path)) as connection, connection:
            connection.execute(f"UPDATE entry SET {ROWS[how]} WHERE request_id = x'72'")

    async def content(self) -> object:
        with closing(sqlite3.connect(self._path)) as connection:
            connection.text_factory = bytes
            return connection.execute("SELECT * FROM entry WHERE request_id = x'72'").fetchall()


class RedisStore:
    def __init__(self, ledger: OpenLedger, client: redis.asyncio.Redis, key: str) -> None:
        self.ledger = ledger
        self._client = client
        self._key = key

    async def damage(self, how: str) -> None:
        for name, *arguments in COMMANDS[how]:
            await self._client.execute_command(name, self._key, *arguments)  # type: ignore[no-untyped-call] # its library's

    async def content(self) -> object:
        if await self._client.type(self._key) == b"hash":
            return await self._client.hgetall(self._key)
        return await self._client.dump(self._key)


@asynccontextmanager
async def sqlite_store(path: Path, how: str) -> AsyncIterator[Store]:
    async with SqliteStage(path).open("a") as ledger:
        store = SqliteStore(ledger, path)
        await ledger.record("r", DOUBT)
        store.damage(how)
        yield store


@asynccontextmanager
async def redis_store(url: str, how: str) -> AsyncIterator[Store]:
    prefix = f"test-{uuid4().hex[:12]}"
    stage = RedisStage(url, prefix)
    async with stage.open("a") as ledger, redis.asyncio.Redis.from_url(url) as client:
        store = RedisStore(ledger, client, f"{prefix}-p:ledger:r")
        await ledger.record("r", DOUBT)
        await store.damage(how)
        yield store
        await stage.end_retention()


@pytest.fixture(
    params=[("sqlite", how) for how in ROWS] + [("redis", how) for how in COMMANDS],
    ids=" with ".join,
)
async def store(request: pytest.FixtureRequest, tmp_path: Path, redis_url: str) -> AsyncIterator[Store]:
    kind, how = request.param
    async with sqlite_store(tmp_path / "ledger.db", how) if kind == "sqlite" else redis_store(redis_url, how) as store:
        yield store


async def test_neither_a_claim_nor_a_look_tells_anything_of_a_damaged_entry(store: Store) -> None:
    before = await store.content()
    for operation in (store.ledger.find("r"), *(store.ledger.claim("r", 2, permit) for permit in PERMITS)):
        with pytest.raises(EntryDamaged, match=r"entry for request 'r' is damaged: find out whether .* was paid for"):
            await operation
    assert await store.content() == before


async def test_a_damaged_entry_concerns_no_other_request(store: Store) -> None:
    ended = await asyncio.gather(
        store.ledger.claim("s", 1, Permit()),
        store.ledger.claim("r", 1, Permit()),
        store.ledger.claim("t", 1, Permit()),
        return_exceptions=True,
    )
    assert ended[0] == ended[2] == Claimed()
    assert isinstance(ended[1], EntryDamaged)


async def test_a_release_and_a_doubt_leave_a_damaged_entry_as_it_is(store: Store) -> None:
    before = await store.content()
    await store.ledger.release("r")
    await store.ledger.record("r", LATER_DOUBT)
    assert await store.content() == before


async def test_a_task_id_takes_the_place_of_a_damaged_entry(store: Store) -> None:
    await store.ledger.record("r", SUBMITTED)
    assert await store.ledger.find("r") == SUBMITTED
    assert await store.ledger.claim("r", 2, Permit(resend=True, replay="x")) == SUBMITTED
