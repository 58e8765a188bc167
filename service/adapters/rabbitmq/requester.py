"""The producer's side: publishes requests and collects their results on a private reply queue."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, AbstractQueue, HeadersType
from aio_pika.exceptions import PublishError

from service.adapters.rabbitmq.errors import LinkLost, link_errors


class RequesterError(Exception):
    """Requests cannot be sent or results cannot be read. The message says what to do."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One result as it came: the ids from its properties and its decoded body."""

    correlation_id: str
    body: dict[str, Any]


class Requester:
    """An open connection that sends requests to one queue. Make it with `open_requester`."""

    def __init__(self, channel: AbstractChannel, queue: str, replies: AbstractQueue) -> None:
        self._channel = channel
        self._queue = queue
        self._reply_to = replies.name
        self._arrived: asyncio.Queue[Reply | None] = asyncio.Queue()

    async def send(
        self,
        body: bytes,
        request_id: str,
        *,
        content_encoding: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Publish one request and wait for the broker's confirm.

        Raises:
            RequesterError: the request queue does not exist, or the connection was lost.
        """
        wire_headers: HeadersType = dict(headers or {})
        message = aio_pika.Message(
            body,
            message_id=request_id,
            correlation_id=request_id,
            reply_to=self._reply_to,
            content_type="application/json",
            content_encoding=content_encoding,
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            headers=wire_headers,
        )
        try:
            with link_errors():
                await self._channel.default_exchange.publish(message, self._queue)
        except PublishError as error:
            raise RequesterError(
                f"The queue {self._queue!r} does not exist. Start the worker once, which declares it, "
                "or name its prefix with --prefix."
            ) from error
        except LinkLost as error:
            raise RequesterError(f"The broker connection was lost while sending: {error}.") from error

    async def replies(self) -> AsyncIterator[Reply]:
        """Yield results as they arrive, without end.

        Raises:
            RequesterError: the connection was lost; results that are still to come go to `undelivered`.
        """
        while (reply := await self._arrived.get()) is not None:
            yield reply
        raise RequesterError(
            "The broker connection was lost while waiting. Results that were still to come are kept in the queue "
            "that ends in `.undelivered`."
        )

    async def on_reply(self, message: AbstractIncomingMessage) -> None:
        """Take a result from the library."""
        self._arrived.put_nowait(Reply(message.correlation_id or "", json.loads(message.body)))

    def on_loss(self, *_: object) -> None:
        """Wake the reader when nothing more can come."""
        self._arrived.put_nowait(None)


@asynccontextmanager
async def open_requester(url: str, prefix: str, connect_timeout: float = 10.0) -> AsyncIterator[Requester]:
    """Connect and make a private reply queue, which goes away with the connection.

    Raises:
        RequesterError: the broker cannot be reached.
    """
    try:
        with link_errors():
            async with asyncio.timeout(connect_timeout):
                connection = await aio_pika.connect(url)
    except LinkLost as error:
        raise RequesterError(f"The broker cannot be reached: {error}.") from error
    async with connection:
        channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        queue = await channel.declare_queue(exclusive=True, auto_delete=True)
        requester = Requester(channel, f"{prefix}.requests", queue)
        connection.close_callbacks.add(requester.on_loss)
        await queue.consume(requester.on_reply, no_ack=True)
        yield requester
