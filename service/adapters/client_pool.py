"""One HTTP client, with one connection, for each call under way.

httpcore's pool loses a place for good when a call is cancelled or timed out between "a connection was made for it"
and "the connection is in use" (httpcore issue 1093): after a few of them every call waits for ever. Here a
cancelled call takes its client along, and nobody else can be short of it. A client is cheap, because all of them
share one TLS context.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx


class ClientPool:
    """Lends clients, at most `limit` at a time; the one used last is lent first, so that few stay connected.

    A client whose connection has been idle for `keepalive_expiry` seconds is closed when the next one is asked for.
    """

    def __init__(self, build: Callable[[], httpx.AsyncClient], limit: int, keepalive_expiry: float) -> None:
        self._build = build
        self._free = asyncio.Semaphore(limit)
        self._expiry = keepalive_expiry
        self._idle: deque[tuple[float, httpx.AsyncClient]] = deque()

    @asynccontextmanager
    async def client(self) -> AsyncIterator[httpx.AsyncClient]:
        """Lend a client for one call, waiting for as long as all are lent."""
        async with self._free:
            await self._close_expired()
            client = self._idle.pop()[1] if self._idle else self._build()
            try:
                yield client
            except httpx.HTTPError:
                # The library has cleaned up after its own errors, undisturbed.
                self._take_back(client)
                raise
            except BaseException:
                await client.aclose()
                raise
            self._take_back(client)

    async def aclose(self) -> None:
        """Close the clients that are not lent."""
        while self._idle:
            await self._idle.pop()[1].aclose()

    def _take_back(self, client: httpx.AsyncClient) -> None:
        self._idle.append((asyncio.get_running_loop().time(), client))

    async def _close_expired(self) -> None:
        oldest_fit = asyncio.get_running_loop().time() - self._expiry
        while self._idle and self._idle[0][0] < oldest_fit:
            await self._idle.popleft()[1].aclose()
