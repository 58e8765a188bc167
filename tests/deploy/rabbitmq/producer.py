"""A producer as the definitions let it be: it publishes through the exchange and reads a queue of its own."""

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

from service.core.topology import Topology

EXCHANGE = Topology().exchange
KEY = "request"
DIRECT = "amq.rabbitmq.reply-to"
_WAIT_LIMIT = 40.0


class Producer:
    """Asks, and waits for answers by correlation id. Made by `open_producer`."""

    def __init__(self, channel: AbstractChannel, replies: str) -> None:
        self._channel = channel
        self._replies = replies
        self._answers: defaultdict[str, asyncio.Future[dict[str, Any]]] = defaultdict(_future)

    async def ask(self, name: str, body: bytes, *, reply_to: str | None = "", encoding: str | None = None) -> None:
        """Publish one request, and have the broker confirm it. An empty `reply_to`: the queue of this producer."""
        message = aio_pika.Message(
            body,
            message_id=name,
            correlation_id=name,
            reply_to=self._replies if reply_to == "" else reply_to,
            content_encoding=encoding,
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        )
        exchange = await self._channel.get_exchange(EXCHANGE, ensure=False)
        await exchange.publish(message, KEY, mandatory=True)

    async def answer(self, name: str) -> dict[str, Any]:
        """Wait for the result of a request."""
        async with asyncio.timeout(_WAIT_LIMIT):
            return await self._answers[name]

    async def hear(self, message: AbstractIncomingMessage) -> None:
        answer = self._answers[message.correlation_id or ""]
        if not answer.done():
            answer.set_result(json.loads(message.body))


def _future() -> "asyncio.Future[dict[str, Any]]":
    return asyncio.get_running_loop().create_future()


@asynccontextmanager
async def open_producer(url: str, replies: str | None = None) -> AsyncIterator[Producer]:
    """Connect and consume from a private queue with a name of the broker's, or `replies`, or direct reply-to."""
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        if replies == DIRECT:
            queue = await channel.get_queue(DIRECT, ensure=False)
        else:
            queue = await channel.declare_queue(replies, exclusive=True, auto_delete=True)
        producer = Producer(channel, queue.name)
        await queue.consume(producer.hear, no_ack=True)
        yield producer


def outcome(result: Mapping[str, Any]) -> str:
    """Give the error code of a result, or `submitted`."""
    return str(result["error"]["code"] if result["status"] == "failed" else result["status"])
