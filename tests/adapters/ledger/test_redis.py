import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
import redis.asyncio
from pydantic import SecretStr

from service.adapters.ledger.opening import OpenLedger, open_ledger
from service.adapters.ledger.redis import RedisLedger
from service.core.call import Answer
from service.core.ledger import Claimed, DoubtRecord, Found, LedgerUnavailable, Permit, Running, SubmittedRecord
from service.core.pending_task import Follow, PendingTask
from service.core.ports import Clock
from service.settings import LedgerSettings
from tests.support.fakes import GUARD, FakeClock
from tests.support.private_redis import RedisServer

NO_PERMIT = Permit()
DOUBT = DoubtRecord(Answer(), 1)
SUBMITTED = SubmittedRecord("task-1", "m", 1, datetime(2026, 1, 1, tzinfo=UTC))
RETENTION = 86_400.0
SHORT = 0.3


@pytest.fixture
def prefix() -> str:
    return f"test-{uuid4().hex[:12]}"


@pytest.fixture
def url(redis_server: RedisServer) -> str:
    return redis_server.url


Open = Callable[..., AbstractAsyncContextManager[OpenLedger]]


@pytest.fixture
def opened(url: str, prefix: str) -> Open:
    def opened(
        holder: str = "a",
        *,
        at: str = url,
        lease: timedelta = timedelta(minutes=1),
        clock: Clock | None = None,
        patience: float = 5.0,
    ) -> AbstractAsyncContextManager[OpenLedger]:
        settings = LedgerSettings(url=SecretStr(at), retention=RETENTION, timeout=patience)
        return open_ledger(settings, holder=holder, lease=lease, prefix=prefix, clock=clock or FakeClock())

    return opened


@pytest.fixture
async def ledger(opened: Open) -> AsyncIterator[OpenLedger]:
    async with opened() as ledger:
        yield ledger


@pytest.fixture
async def client(url: str) -> AsyncIterator[redis.asyncio.Redis]:
    async with redis.asyncio.Redis.from_url(url) as client:
        yield client


async def found_at_last(ledger: OpenLedger, holds: Callable[[Found], bool]) -> Found:
    """Ask until the answer is as wanted; each question waits for the server."""
    async with asyncio.timeout(GUARD):
        while not holds(found := await ledger.find("r")):
            pass
    return found


async def unavailable(operation: Awaitable[object]) -> str:
    with pytest.raises(LedgerUnavailable) as refused:
        await operation
    return str(refused.value)


async def test_a_killed_server_is_unavailable_and_its_records_come_back(
    redis_server: RedisServer, ledger: OpenLedger
) -> None:
    await ledger.record("r", SUBMITTED)
    redis_server.kill()
    for _ in range(2):
        assert "check" in await unavailable(ledger.claim("r", 1, NO_PERMIT))
    redis_server.start()
    assert await ledger.claim("r", 1, NO_PERMIT) == SUBMITTED


async def test_a_frozen_server_is_unavailable_within_the_timeout(redis_server: RedisServer, opened: Open) -> None:
    async with opened(patience=SHORT) as ledger:
        await ledger.ping()
        redis_server.freeze()
        async with asyncio.timeout(10 * SHORT):
            assert "did not answer in time" in await unavailable(ledger.ping())
        redis_server.thaw()
        await ledger.ping()


async def test_many_callers_of_a_frozen_server_all_hear_of_it_in_time(redis_server: RedisServer, opened: Open) -> None:
    async with opened(patience=SHORT) as ledger:
        redis_server.freeze()
        async with asyncio.timeout(10 * SHORT):
            ended = await asyncio.gather(*(ledger.find(str(number)) for number in range(100)), return_exceptions=True)
        assert {type(error) for error in ended} == {LedgerUnavailable}
        redis_server.thaw()


async def test_a_claim_whose_answer_was_lost_is_sent_once_and_can_be_released(
    redis_server: RedisServer, opened: Open
) -> None:
    async with opened(patience=SHORT) as ledger, opened("b") as other:
        # A server that does not know the script yet refuses the first command, and does nothing.
        assert await ledger.find("r") is None
        redis_server.freeze()
        await unavailable(ledger.claim("r", 1, NO_PERMIT))
        redis_server.thaw()
        running = await found_at_last(ledger, lambda found: found is not None)
        assert isinstance(running, Running)
        assert running.here
        assert isinstance(await ledger.claim("r", 1, NO_PERMIT), Running)
        assert isinstance(await other.claim("r", 1, NO_PERMIT), Running)
        await ledger.release("r")
        assert await ledger.claim("r", 1, NO_PERMIT) == Claimed()


def take_turns(ledger: RedisLedger, *turns: int) -> None:
    """Give the next operations these turns, as if their commands overtook each other."""
    ledger._turns = iter(turns)


async def test_a_release_that_arrives_late_leaves_a_later_claim_alone(ledger: RedisLedger) -> None:
    take_turns(ledger, 2, 1, 3)
    assert await ledger.claim("r", 1, NO_PERMIT) == Claimed()
    await ledger.release("r")
    assert isinstance(await ledger.find("r"), Running)


async def test_a_doubt_that_arrives_late_leaves_a_later_claim_in_force(ledger: RedisLedger) -> None:
    await ledger.record("r", DOUBT)
    take_turns(ledger, 3, 2, 4)
    await ledger.claim("r", 2, Permit(resend=True))
    await ledger.record("r", DOUBT)
    assert isinstance(await ledger.find("r"), Running)


async def test_leases_end_by_the_clock_of_the_server(opened: Open) -> None:
    early, late = FakeClock(datetime(2001, 1, 1, tzinfo=UTC)), FakeClock(datetime(2199, 1, 1, tzinfo=UTC))
    async with opened("a", clock=early) as first, opened("b", clock=late) as second:
        await first.claim("r", 1, NO_PERMIT)
        assert isinstance(await second.claim("r", 1, NO_PERMIT), Running)


async def test_a_lease_ends_by_itself(opened: Open) -> None:
    async with opened("a", lease=timedelta(milliseconds=1)) as first, opened("b") as second:
        await first.claim("r", 4, NO_PERMIT)
        found = await found_at_last(second, lambda found: not isinstance(found, Running))
        assert found == DoubtRecord(Answer(), 4)
        assert await second.claim("r", 5, NO_PERMIT) == found


@pytest.mark.parametrize("operation", ["claim", "submitted", "in_doubt", "released repetition"])
async def test_every_record_expires_with_its_retention(
    ledger: OpenLedger, client: redis.asyncio.Redis, prefix: str, operation: str
) -> None:
    match operation:
        case "claim":
            await ledger.claim("r", 1, NO_PERMIT)
        case "submitted":
            await ledger.record("r", SUBMITTED)
        case "in_doubt":
            await ledger.record("r", DOUBT)
        case _:
            await ledger.record("r", DOUBT)
            await ledger.claim("r", 2, Permit(resend=True))
            await client.persist(f"{prefix}:ledger:r")
            await ledger.release("r")
    left = await client.pttl(f"{prefix}:ledger:r")
    assert (RETENTION - GUARD) * 1000 < left <= RETENTION * 1000


async def test_a_ping_leaves_nothing_for_long(ledger: OpenLedger, client: redis.asyncio.Redis, prefix: str) -> None:
    await ledger.ping()
    assert 0 < await client.ttl(f"{prefix}:ledger-ping") <= 10


async def test_a_server_that_forgot_the_script_is_given_it_again(
    ledger: OpenLedger, client: redis.asyncio.Redis
) -> None:
    await ledger.claim("r", 1, NO_PERMIT)
    await client.script_flush()
    assert isinstance(await ledger.claim("r", 1, NO_PERMIT), Running)


async def follow(ledger: OpenLedger, task_id: str) -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    await ledger.record("r", SubmittedRecord(task_id, "m", 1, at), Follow(PendingTask(task_id, "r", "m", at, "c"), 0.0))


async def test_a_reschedule_after_the_end_leaves_nothing_behind(
    ledger: OpenLedger, client: redis.asyncio.Redis, prefix: str
) -> None:
    await follow(ledger, "task-1")
    await ledger.tasks.done("task-1")
    await ledger.tasks.reschedule("task-1", 0.0)
    assert await client.exists(f"{prefix}:ledger-tasks", f"{prefix}:ledger-due") == 0


async def test_a_task_that_was_taken_away_by_hand_is_followed_no_longer(
    ledger: OpenLedger, client: redis.asyncio.Redis, prefix: str
) -> None:
    for task_id in ("task-1", "task-2"):
        await follow(ledger, task_id)
    await client.hdel(f"{prefix}:ledger-tasks", "task-1")
    taken = [await ledger.tasks.take() for _ in range(2)]
    assert [task and task.task_id for task in taken] == ["task-2", None]
    assert await client.zrange(f"{prefix}:ledger-due", 0, -1) == [b"task-2"]


@pytest.mark.parametrize("damage", [b"\xff", b"{}", b""])
async def test_a_damaged_task_is_passed_over_and_keeps_nobody_else_waiting(
    ledger: OpenLedger, client: redis.asyncio.Redis, prefix: str, damage: bytes
) -> None:
    for task_id in ("task-1", "task-2"):
        await follow(ledger, task_id)
    await client.hset(f"{prefix}:ledger-tasks", "task-1", damage)
    taken = [await ledger.tasks.take() for _ in range(2)]
    assert [task and task.task_id for task in taken] == ["task-2", None]
    assert await ledger.tasks.count() == 2


async def test_a_full_memory_still_takes_a_task_to_be_followed(ledger: OpenLedger, client: redis.asyncio.Redis) -> None:
    await ledger.claim("r", 1, NO_PERMIT)
    await client.config_set("maxmemory", "1")
    try:
        await follow(ledger, "task-1")
        assert "the memory of Redis is full" in await unavailable(ledger.tasks.take())
    finally:
        await client.config_set("maxmemory", "0")
    task = await ledger.tasks.take()
    assert task is not None
    assert task.task_id == "task-1"


async def test_a_full_memory_refuses_claims_whole_and_still_takes_what_calls_came_to(
    ledger: OpenLedger, client: redis.asyncio.Redis
) -> None:
    await ledger.claim("running", 1, NO_PERMIT)
    await ledger.record("doubtful", DOUBT)
    await client.config_set("maxmemory", "1")
    try:
        for operation in (ledger.claim("r", 1, NO_PERMIT), ledger.ping()):
            assert "the memory of Redis is full" in await unavailable(operation)
        assert "memory" in await unavailable(ledger.claim("doubtful", 2, Permit(resend=True)))
        await ledger.record("running", SUBMITTED)
    finally:
        await client.config_set("maxmemory", "0")
    assert await ledger.find("r") is None
    assert await ledger.find("doubtful") == DOUBT
    assert await ledger.find("running") == SUBMITTED


async def test_a_replica_is_named_as_such(ledger: OpenLedger, client: redis.asyncio.Redis) -> None:
    await client.replicaof("127.0.0.1", "1")
    try:
        assert "is a replica that takes no writes" in await unavailable(ledger.claim("r", 1, NO_PERMIT))
    finally:
        await client.replicaof("NO", "ONE")
    assert await ledger.claim("r", 1, NO_PERMIT) == Claimed()


@pytest.mark.parametrize("login", ["", "nobody:wrong-secret@", ":wrong-secret@"])
async def test_a_wrong_login_is_named_without_the_password(
    opened: Open, client: redis.asyncio.Redis, url: str, login: str
) -> None:
    await client.config_set("requirepass", "the-right-one")
    try:
        async with opened(at=url.replace("redis://", f"redis://{login}")) as ledger:
            text = await unavailable(ledger.claim("r", 1, NO_PERMIT))
    finally:
        await client.config_set("requirepass", "")
    assert "refused the login" in text
    assert "secret" not in text


async def test_a_user_without_the_right_to_run_scripts_is_told(
    opened: Open, client: redis.asyncio.Redis, url: str
) -> None:
    await client.acl_setuser(
        "weak", enabled=True, passwords="+pw", keys="*", categories=["+@all", "-@scripting"], commands=["-info"]
    )
    try:
        async with opened(at=url.replace("redis://", "redis://weak:pw@")) as ledger:
            assert "forbids a command: let the user run scripts" in await unavailable(ledger.find("r"))
            (warning,) = await ledger.durability_warnings()
    finally:
        await client.acl_deluser("weak")
    assert "Redis does not tell whether it keeps every record" in warning


async def test_a_redis_that_drops_records_is_warned_of(ledger: OpenLedger, client: redis.asyncio.Redis) -> None:
    assert await ledger.durability_warnings() == ()
    await client.config_set("maxmemory-policy", "allkeys-lru")
    await client.config_set("appendonly", "no")
    try:
        eviction, log = await ledger.durability_warnings()
    finally:
        await client.config_set("maxmemory-policy", "noeviction")
        await client.config_set("appendonly", "yes")
    assert "maxmemory-policy is allkeys-lru" in eviction
    assert "appendonly is no" in log


async def test_a_server_without_tls_is_named_as_such(opened: Open) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65536)
        writer.write(b"-ERR Protocol error\r\n")
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with opened(at=f"rediss://127.0.0.1:{port}/0") as ledger:
            assert "Redis speaks no TLS on this port" in await unavailable(ledger.find("r"))


@pytest.mark.parametrize("words", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b""])
async def test_what_is_no_redis_is_unavailable(opened: Open, words: bytes) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65536)
        writer.write(words)
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with opened(at=f"redis://127.0.0.1:{port}/0") as ledger:
            text = await unavailable(ledger.find("r"))
    assert ("is no Redis" if words else "connection") in text
