"""The two durable ledgers, with a way to keep them from taking records and a way to look inside."""

import sqlite3
from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from datetime import timedelta
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from pydantic import SecretStr

from service.adapters.ledger.opening import open_ledger
from service.adapters.system import SystemClock
from service.core.ledger import Found
from service.settings import LedgerSettings
from tests.support.tcp_proxy import TcpProxy


class LedgerPlace(Protocol):
    """Where workers keep their records. `url` is for the workers."""

    @property
    def name(self) -> str: ...

    @property
    def url(self) -> str: ...

    def blocked(self) -> AbstractAsyncContextManager[None]:
        """Take no record meanwhile, and none later that was asked for meanwhile by a worker that is dead at the end."""

    async def find(self, prefix: str, request_id: str) -> Found: ...


class SqlitePlace:
    """A file; who holds its write lock keeps everybody else from writing."""

    name = "sqlite"

    def __init__(self, folder: Path) -> None:
        self._path = folder / "ledger.db"
        self.url = f"sqlite:///{self._path}"

    @asynccontextmanager
    async def blocked(self) -> AsyncIterator[None]:
        with closing(sqlite3.connect(self._path, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield
            connection.execute("ROLLBACK")

    async def find(self, prefix: str, request_id: str) -> Found:
        return (await records(self.url, prefix, [request_id]))[request_id]


class RedisPlace:
    """A server behind a proxy."""

    name = "redis"

    def __init__(self, server_url: str, proxy: TcpProxy) -> None:
        self._server_url = server_url
        self._proxy = proxy
        self.url = f"redis://127.0.0.1:{proxy.port}/0"

    @asynccontextmanager
    async def blocked(self) -> AsyncIterator[None]:
        self._proxy.freeze()
        yield
        # What the proxy still holds must not arrive.
        self._proxy.cut()
        self._proxy.thaw()
        await self._proxy.idle()

    async def find(self, prefix: str, request_id: str) -> Found:
        return (await records(self._server_url, prefix, [request_id]))[request_id]


@asynccontextmanager
async def ledger_place(name: str, folder: Path, redis_url: str) -> AsyncIterator[LedgerPlace]:
    """Open a place for the records of one test."""
    if name == SqlitePlace.name:
        yield SqlitePlace(folder)
        return
    async with TcpProxy("127.0.0.1", urlsplit(redis_url).port or 6379) as proxy:
        yield RedisPlace(redis_url, proxy)


def names_in_file(path: Path) -> set[str]:
    """Read the ids of all requests on record, also where there is no room for a transaction that writes."""
    with closing(sqlite3.connect(path)) as connection:
        return {name.decode() for (name,) in connection.execute("SELECT request_id FROM entry")}


async def records(url: str, prefix: str, names: Iterable[str]) -> dict[str, Found]:
    """Tell what is on record, by request id."""
    settings = LedgerSettings(url=SecretStr(url))
    lease = timedelta(minutes=1)
    async with open_ledger(settings, holder="judge", lease=lease, prefix=prefix, clock=SystemClock()) as ledger:
        return {name: await ledger.find(name) for name in names}
