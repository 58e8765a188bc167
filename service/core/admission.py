"""How many calls may be in flight."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from service.core.drain import Drain, Draining
from service.core.gate import Gate


class ConcurrencyLimit:
    """Admits at most `limit` calls at a time, first come first served."""

    def __init__(self, limit: int, drain: Drain) -> None:
        self._free = asyncio.Semaphore(limit)
        self._drain = drain

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Hold one place among the calls in flight.

        Raises:
            Draining: the worker stops, no further call starts.
        """
        held = False

        async def acquire() -> None:
            nonlocal held
            held = await self._free.acquire()

        try:
            await (self._drain.race(acquire()) if self._free.locked() else acquire())
            if self._drain.begun:
                raise Draining
            yield
        finally:
            # Not by how far the code got: a cancellation can arrive after the place was given to us and
            # before we hear of it. Such a place would be lost for good.
            if held:
                self._free.release()


class GatedAdmission:
    """A concurrency limit behind a gate. Keeps port `Admission`."""

    def __init__(self, limit: ConcurrencyLimit, gate: Gate) -> None:
        self._limit = limit
        self._gate = gate

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[Callable[[], bool]]:
        """Hold one place among the calls in flight; see the port."""
        while True:
            await self._gate.passable()
            async with self._limit.slot():
                # The gate may have closed while we waited for the place.
                if (passage := self._gate.admit()) is not None:
                    yield lambda: self._gate.lets(passage)
                    return

    async def pause(self, seconds: float) -> None:
        """Wait between two attempts; see the port."""
        await self._gate.pause(seconds)
