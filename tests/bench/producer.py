"""Publishes requests: as many as wanted at once, or so many each second."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import aio_pika
from aiormq import spec
from aiormq.abc import AbstractChannel

from tests.bench.queues import Queues

_CHUNK = 500
_PERSISTENT = 2


def body(size: int = 0) -> bytes:
    """Write a request of at least `size` bytes; the field `template` is passed on as it is, whatever its length."""
    request = {"model": "wan2.2-t2v-plus", "prompt": "A lighthouse at dawn", "size": "832*480"}
    missing = size - len(json.dumps(request | {"template": ""}))
    return json.dumps(request | ({"template": "x" * missing} if missing > 0 else {})).encode()


class Producer:
    """Publishes with confirms. `published` has the instant of each steady publish (monotonic) by request id."""

    def __init__(self, channel: AbstractChannel, queues: Queues) -> None:
        self._channel = channel
        self._queues = queues
        self.published: dict[str, float] = {}

    async def preload(self, count: int, request: bytes) -> None:
        """Come back when the broker has confirmed `count` requests."""
        for begun in range(0, count, _CHUNK):
            await asyncio.gather(*(self._publish(request, uuid4().hex) for _ in range(min(_CHUNK, count - begun))))

    async def steadily(self, count: int, rate: float, request: bytes) -> None:
        """Publish `count` requests at even intervals, whatever comes of those before."""
        began = time.monotonic()
        pending: list[asyncio.Task[None]] = []
        for number in range(count):
            await asyncio.sleep(began + number / rate - time.monotonic())
            request_id = uuid4().hex
            self.published[request_id] = time.monotonic()
            pending.append(asyncio.create_task(self._publish(request, request_id)))
        await asyncio.gather(*pending)

    async def _publish(self, request: bytes, request_id: str) -> None:
        properties = spec.Basic.Properties(
            content_type="application/json",
            delivery_mode=_PERSISTENT,
            message_id=request_id,
            correlation_id=request_id,
            reply_to=self._queues.replies,
        )
        requests = self._queues.topology.requests
        await self._channel.basic_publish(request, routing_key=requests, properties=properties)


@asynccontextmanager
async def producer(broker_url: str, queues: Queues) -> AsyncIterator[Producer]:
    """Publish over a connection of its own."""
    async with await aio_pika.connect(broker_url) as connection:
        channel = await connection.channel()
        yield Producer(await channel.get_underlay_channel(), queues)
