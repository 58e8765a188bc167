"""The ledger in Redis, for the workers of many hosts."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterable, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from importlib.resources import files
from itertools import count
from typing import TypeVar

from redis.asyncio import Redis
from redis.exceptions import RedisError

from service.adapters.certificates import CertificateFiles
from service.adapters.ledger.errors import damaged
from service.adapters.ledger.record_text import (
    UnreadableRecordError,
    answer_text,
    read_answer,
    read_submitted,
    submitted_text,
)
from service.adapters.ledger.redis_connections import connection_pool
from service.adapters.ledger.redis_durability import UNKNOWN, durability_warnings
from service.adapters.ledger.redis_failure import redis_failure
from service.adapters.ledger.redis_tasks import RedisTasks, microseconds
from service.adapters.ledger.task_text import task_text
from service.adapters.ledger.tenure import Tenure
from service.core.ledger import (
    Claim,
    Claimed,
    DoubtRecord,
    Found,
    Known,
    LedgerUnavailable,
    Permit,
    Running,
    SubmittedRecord,
)
from service.core.pending_task import Follow

_SCRIPT = files(__package__).joinpath("transitions.lua").read_text("utf-8")
_MICROSECOND = timedelta(microseconds=1)
_SECOND = timedelta(seconds=1)
_MILLISECOND = timedelta(milliseconds=1)
_PING_LIFE = timedelta(seconds=10)

T = TypeVar("T")


class RedisLedger:
    """Keeps port `Ledger`, by one script call for each operation and on the clock of the server.

    Nothing is sent twice on its own account. After a claim whose answer was lost, a further claim of this holder comes
    out as `Running(here=True)` until it is released. What cannot be read stays as it is, for the operator to look at,
    until a task id takes its place.
    """

    def __init__(self, client: Redis, tenure: Tenure, prefix: str, patience: float) -> None:
        self._client = client
        self._script = client.register_script(_SCRIPT)
        self._tenure = tenure
        self._prefix = prefix
        self._patience = patience
        self._turns: Iterator[int] = count(1)
        self.tasks = RedisTasks(client, tenure, prefix, self._ask)

    async def claim(self, request_id: str, attempt: int, permit: Permit) -> Claim:
        """Put the intent to make the `attempt`-th call on record, unless what is there forbids it."""
        replay = "" if permit.replay is None else f"={permit.replay}"
        answer = await self._run("claim", request_id, attempt, "1" if permit.resend else "", replay)
        match answer:
            case [b"claimed", int(doubt)]:
                return Claimed(doubt=bool(doubt))
            case _:
                return _known(answer, request_id)

    async def find(self, request_id: str) -> Found:
        """Tell what is known of a request, without a claim."""
        answer = await self._run("find", request_id)
        return None if answer == [b"none"] else _known(answer, request_id)

    async def release(self, request_id: str) -> None:
        """Take our intent off the record: the call was surely not accepted."""
        await self._run("release", request_id)

    async def record(self, request_id: str, known: Known, follow: Follow | None = None) -> None:
        """Put on record what a call came to, and the task to `follow`."""
        match known:
            case SubmittedRecord():
                record = (known.attempts, submitted_text(known))
                if follow is None:
                    await self._run("submitted", request_id, *record)
                else:
                    wish = (follow.task.task_id, microseconds(follow.first), task_text(follow.task))
                    await self._run("submitted", request_id, *record, *wish, further_keys=self.tasks.keys)
            case DoubtRecord():
                await self._run("in_doubt", request_id, known.attempts, answer_text(known.answer))

    async def ping(self) -> None:
        """Write a key that goes away by itself."""
        await self._ask(self._client.set(f"{self._prefix}:ledger-ping", "", ex=_PING_LIFE))

    async def durability_warnings(self) -> tuple[str, ...]:
        """Ask Redis how it keeps records, and say what is risky; a Redis that does not tell is risky too."""
        try:
            memory = await self._ask(self._client.info("memory"))
            persistence = await self._ask(self._client.info("persistence"))
        except LedgerUnavailable as unavailable:
            return (f"{UNKNOWN} ({unavailable})",)
        return durability_warnings(memory, persistence)

    async def _run(
        self, operation: str, request_id: str, *arguments: str | int, further_keys: Iterable[str] = ()
    ) -> object:
        tenure = self._tenure
        # The turn is taken here, in the order of the calls: the commands may overtake each other on their way.
        fixed = (operation, tenure.holder, tenure.lease // _MICROSECOND, _ceil_ms(tenure.retention), next(self._turns))
        keys = [_bytes(key) for key in (f"{self._prefix}:ledger:{request_id}", *further_keys)]
        return await self._ask(self._script(keys=keys, args=[_bytes(str(each)) for each in (*fixed, *arguments)]))

    async def _ask(self, answer: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(self._patience):
                return await answer
        except (RedisError, OSError) as error:
            raise LedgerUnavailable(redis_failure(error)) from error


@asynccontextmanager
async def redis_ledger(
    url: str, tenure: Tenure, *, prefix: str, patience: float, certificates: CertificateFiles
) -> AsyncIterator[RedisLedger]:
    """Make a ledger at `url`. Nothing connects before the first operation.

    `patience` is the longest wait for an answer, in seconds.

    Raises:
        LedgerConfigurationError: on entering; a certificate file cannot be used.
    """
    pool = connection_pool(url, certificates, patience)
    async with Redis.from_pool(pool) as client:
        yield RedisLedger(client, tenure, prefix, patience)


def _known(answer: object, request_id: str) -> Known | Running:
    try:
        match answer:
            case [b"running", bytes(left), int(here)]:
                return Running(int(left) * _MICROSECOND / _SECOND, here=bool(here))
            case [b"submitted", bytes(record)]:
                return read_submitted(record)
            case [b"in_doubt", bytes(said), bytes(attempts)]:
                return DoubtRecord(read_answer(said), int(attempts))
            case _:
                raise damaged(request_id)
    except UnreadableRecordError as error:
        raise damaged(request_id) from error


def _ceil_ms(span: timedelta) -> int:
    return -(-span // _MILLISECOND)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
