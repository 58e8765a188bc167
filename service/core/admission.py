"""How many calls may be in flight."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from service.core.drain import Drain, Draining


class ConcurrencyLimit:
    """Admits at most `limit` calls at a time, first come first served. Keeps port `Admission`."""

    def __init__(self, limit: int, drain: Drain) -> None:
        self._free = asyncio.Semaphore(limit)
        self._drain = drain

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Hold one place among the calls in flight.

        Raises:
            Draining: the worker stops, no further call starts.
        """
        if self._free.locked():
            await self._drain.race(self._free.acquire())
        else:
            await self._free.acquire()
        try:
            if self._drain.begun:
                raise Draining
            yield
        finally:
            self._free.release()
