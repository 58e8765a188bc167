"""A producer that goes on sending whatever happens to its broker."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from itertools import count

import aio_pika
from aio_pika import DeliveryMode, Message
from aio_pika.exceptions import AMQPError

MODEL = "wan2.2-t2v-plus"
_RECONNECT = 0.2


class Producer:
    """Sends requests in the order in which they are given, each until the broker has confirmed it."""

    def __init__(self, url: str, queue: str) -> None:
        self._url = url
        self._queue = queue
        self._waiting: asyncio.Queue[Message] = asyncio.Queue()
        self._numbers = count()

    def send(self, prompt: str = "a lighthouse at dawn", **options: object) -> str:
        """Send a right request, and return its id; `options` are properties of the message."""
        return self.send_body(json.dumps({"model": MODEL, "prompt": prompt}).encode(), **options)

    def send_body(self, body: bytes, **options: object) -> str:
        """Send any message."""
        properties = {"message_id": f"request-{next(self._numbers)}", "timestamp": datetime.now(UTC), **options}
        message = Message(body, delivery_mode=DeliveryMode.PERSISTENT, **properties)  # type: ignore[arg-type] # by name
        self._waiting.put_nowait(message)
        return str(properties["message_id"])

    async def run(self, rate: float) -> None:
        """Send `rate` right requests a second, and what else is given, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._make(rate))
            tasks.create_task(self._publish())

    async def _make(self, rate: float) -> None:
        while True:
            self.send()
            await asyncio.sleep(1 / rate)

    async def _publish(self) -> None:
        message = await self._waiting.get()
        while True:
            with suppress(AMQPError, ConnectionError, TimeoutError):
                connection = await aio_pika.connect(self._url, timeout=5)
                async with connection:
                    channel = await connection.channel()
                    while True:
                        await channel.default_exchange.publish(message, self._queue)
                        message = await self._waiting.get()
            await asyncio.sleep(_RECONNECT)


@asynccontextmanager
async def producing(url: str, queue: str, rate: float) -> AsyncIterator[Producer]:
    producer = Producer(url, queue)
    task = asyncio.create_task(producer.run(rate))
    try:
        yield producer
        # Somebody who waited for a request that was never sent should hear why.
        if task.done():
            task.result()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
