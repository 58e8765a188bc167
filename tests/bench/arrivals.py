"""Results as they arrive: when, of which request, and whether they are what they should be."""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from enum import Enum, auto

import aio_pika
from aiormq.abc import DeliveredMessage

from tests.bench.queues import Queues


class Ended(Enum):
    """Why nobody waits for results any more."""

    ALL = auto()
    LIMIT = auto()
    SILENCE = auto()


class Arrivals:
    """Collects results. `times` are monotonic seconds, `odd` counts results without a task id."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.by_request: dict[str, float] = {}
        self.odd = 0
        self._marks: defaultdict[int, list[Callable[[], None]]] = defaultdict(list)

    def at(self, count: int, act: Callable[[], None]) -> None:
        """Call `act` in the moment in which the `count`th result arrives."""
        self._marks[count].append(act)

    async def take(self, message: DeliveredMessage) -> None:
        """Take a result from the broker."""
        self.arrived(message.header.properties.correlation_id or "", message.body)

    def arrived(self, request_id: str, body: bytes) -> None:
        now = time.monotonic()
        self.times.append(now)
        self.by_request[request_id] = now
        self.odd += b'"task_id"' not in body
        for act in self._marks.pop(len(self.times), ()):
            act()

    async def wait_for(self, count: int, *, limit: float, silence: float) -> Ended:
        """Wait until `count` results are there; at most `limit` seconds, or `silence` seconds without any."""
        there = asyncio.Event()
        if len(self.times) >= count:
            return Ended.ALL
        self.at(count, there.set)
        began = time.monotonic()
        while not there.is_set():
            quiet_since = max(began, self.times[-1] if self.times else began)
            left = min(began + limit, quiet_since + silence) - time.monotonic()
            if left <= 0:
                return Ended.SILENCE if quiet_since + silence < began + limit else Ended.LIMIT
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await there.wait()
        return Ended.ALL


@asynccontextmanager
async def arrivals(broker_url: str, queues: Queues) -> AsyncIterator[Arrivals]:
    """Drain the queue of results over a connection of its own, without acks."""
    collected = Arrivals()
    async with await aio_pika.connect(broker_url) as connection:
        channel = await (await connection.channel()).get_underlay_channel()
        await channel.basic_consume(queues.replies, collected.take, no_ack=True)
        yield collected
