"""The flow of deliveries, which a test watches being stopped and started."""

import asyncio
from collections import deque
from collections.abc import Callable

from tests.support.fakes import FakeIncoming


class FakeConsumption:
    """Keeps port `Consumption`.

    `queue` is what may be fetched while paused. Each operation takes `rounds` rounds of the loop; `resumed` is told of
    each resume before it begins.
    """

    def __init__(self, rounds: int = 0, resumed: Callable[[], None] = lambda: None) -> None:
        self.flowing = True
        self.queue: deque[FakeIncoming] = deque()
        self.fetches = 0
        self._rounds = rounds
        self._resumed = resumed

    async def pause(self) -> None:
        self.flowing = False
        await self._take_time()

    async def resume(self) -> None:
        self._resumed()
        await self._take_time()
        self.flowing = True

    async def take_one(self) -> FakeIncoming | None:
        assert not self.flowing, "messages are fetched one by one only while none flow"
        self.fetches += 1
        await self._take_time()
        return self.queue.popleft() if self.queue else None

    async def _take_time(self) -> None:
        for _ in range(self._rounds):
            await asyncio.sleep(0)  # one round of the event loop, no time
