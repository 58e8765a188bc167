"""The ledger adapters on a stage where leases end when a test says so."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Protocol

import redis.asyncio
from pydantic import SecretStr

from service.adapters.ledger.opening import OpenLedger, open_ledger
from service.adapters.ledger.tenure import Tenure
from service.adapters.ledger.volatile import VolatileLedger
from service.adapters.system import SystemClock
from service.settings import LedgerSettings
from tests.support.fakes import FakeClock

LEASE = timedelta(minutes=1)
RETENTION = timedelta(days=7)


class Stage(Protocol):
    """One store, and the workers that share it."""

    def open(self, holder: str, prefix: str = "p") -> AbstractAsyncContextManager[OpenLedger]: ...

    async def end_leases(self) -> None: ...

    async def end_retention(self) -> None: ...

    async def pass_time(self, seconds: float) -> None:
        """Bring tasks that are followed so many seconds nearer to being due."""
        ...


class VolatileStage:
    """One process; what a second worker sees there is shown by handing it the first one's entries."""

    def __init__(self) -> None:
        self._clock = FakeClock()
        self._first: dict[str, VolatileLedger] = {}

    @asynccontextmanager
    async def open(self, holder: str, prefix: str = "p") -> AsyncIterator[OpenLedger]:
        ledger = VolatileLedger(Tenure(holder, LEASE, RETENTION, self._clock))
        first = self._first.setdefault(prefix, ledger)
        ledger._entries = first._entries
        ledger.tasks._followed = first.tasks._followed
        yield ledger

    async def end_leases(self) -> None:
        self._clock.advance(LEASE.total_seconds())

    async def end_retention(self) -> None:
        self._clock.advance(RETENTION.total_seconds())

    async def pass_time(self, seconds: float) -> None:
        self._clock.advance(seconds)


class SqliteStage:
    """One file."""

    def __init__(self, path: Path) -> None:
        self._clock = FakeClock()
        self._settings = LedgerSettings(url=SecretStr(f"sqlite:///{path}"))

    def open(self, holder: str, prefix: str = "p") -> AbstractAsyncContextManager[OpenLedger]:
        return open_ledger(self._settings, holder=holder, lease=LEASE, prefix=prefix, clock=self._clock)

    async def end_leases(self) -> None:
        self._clock.advance(LEASE.total_seconds())

    async def end_retention(self) -> None:
        self._clock.advance(RETENTION.total_seconds())

    async def pass_time(self, seconds: float) -> None:
        self._clock.advance(seconds)


class RedisStage:
    """One server. Its clock is its own, so the leases are brought to an end where they are kept."""

    def __init__(self, url: str, prefix: str) -> None:
        self._url = url
        self._prefix = prefix
        self._settings = LedgerSettings(url=SecretStr(url))

    def open(self, holder: str, prefix: str = "p") -> AbstractAsyncContextManager[OpenLedger]:
        return open_ledger(
            self._settings, holder=holder, lease=LEASE, prefix=f"{self._prefix}-{prefix}", clock=SystemClock()
        )

    async def end_leases(self) -> None:
        async with redis.asyncio.Redis.from_url(self._url) as client:
            async for key in client.scan_iter(f"{self._prefix}-*:ledger:*"):
                if await client.hexists(key, "lease_until"):
                    await client.hset(key, "lease_until", "0")

    async def end_retention(self) -> None:
        await self._end("-*:ledger:*")

    async def pass_time(self, seconds: float) -> None:
        async with redis.asyncio.Redis.from_url(self._url) as client:
            async for key in client.scan_iter(f"{self._prefix}-*:ledger-due"):
                async for task_id, _ in client.zscan_iter(key):
                    await client.zincrby(key, -seconds * 1_000_000, task_id)

    async def clear(self) -> None:
        """Leave nothing behind on a server that others use too."""
        await self._end("-*")

    async def _end(self, keys: str) -> None:
        async with redis.asyncio.Redis.from_url(self._url) as client:
            async for key in client.scan_iter(f"{self._prefix}{keys}"):
                await client.pexpire(key, 0)
