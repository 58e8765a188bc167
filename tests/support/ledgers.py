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


class VolatileStage:
    """One process; what a second worker sees there is shown by handing it the first one's entries."""

    def __init__(self) -> None:
        self._clock = FakeClock()
        self._entries: dict[str, VolatileLedger] = {}

    @asynccontextmanager
    async def open(self, holder: str, prefix: str = "p") -> AsyncIterator[OpenLedger]:
        ledger = VolatileLedger(Tenure(holder, LEASE, RETENTION, self._clock))
        ledger._entries = self._entries.setdefault(prefix, ledger)._entries
        yield ledger

    async def end_leases(self) -> None:
        self._clock.advance(LEASE.total_seconds())

    async def end_retention(self) -> None:
        self._clock.advance(RETENTION.total_seconds())


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
        async with redis.asyncio.Redis.from_url(self._url) as client:
            async for key in client.scan_iter(f"{self._prefix}-*"):
                await client.pexpire(key, 0)
