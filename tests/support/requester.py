"""A plain producer, apart from the product's own: it publishes any bytes and hears results on a private queue."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

from service.core.topology import Topology


@dataclass(frozen=True, slots=True)
class Reply:
    """One result as it came: the id from its properties, its decoded body and its header table."""

    correlation_id: str
    body: dict[str, Any]
    headers: Mapping[str, Any]


class Requester:
    """Sends requests to one queue over an open channel. Make it with `open_requester`."""

    def __init__(self, channel: AbstractChannel, queue: str, reply_to: str) -> None:
        self._channel = channel
        self._queue = queue
        self._reply_to = reply_to
        self._arrived: asyncio.Queue[Reply] = asyncio.Queue()

    async def send(
        self,
        body: bytes,
        request_id: str,
        *,
        content_encoding: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Publish one request and wait for the broker's confirm."""
        message = aio_pika.Message(
            body,
            message_id=request_id,
            correlation_id=request_id,
            reply_to=self._reply_to,
            content_type="application/json",
            content_encoding=content_encoding,
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            timestamp=datetime.now(UTC),
            headers=dict(headers or {}),
        )
        await self._channel.default_exchange.publish(message, self._queue)

    async def replies(self) -> AsyncIterator[Reply]:
        """Yield results as they arrive, without end."""
        while True:
            yield await self._arrived.get()

    async def on_reply(self, message: AbstractIncomingMessage) -> None:
        self._arrived.put_nowait(Reply(message.correlation_id or "", json.loads(message.body), message.headers))


@asynccontextmanager
async def open_requester(url: str, prefix: str) -> AsyncIterator[Requester]:
    """Connect and make a private reply queue, which goes away with the connection."""
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        replies = await channel.declare_queue(exclusive=True, auto_delete=True)
        requester = Requester(channel, Topology(prefix).requests, replies.name)
        await replies.consume(requester.on_reply, no_ack=True)
        yield requester
