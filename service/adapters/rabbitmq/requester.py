"""The producer's side: publishes requests and collects their results on a private reply queue."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage, AbstractQueue, HeadersType
from aio_pika.exceptions import PublishError
from pydantic import SecretStr

from service.adapters.rabbitmq.connect import link_options_of, open_connection
from service.adapters.rabbitmq.errors import LinkLost, link_errors
from service.adapters.system import SystemClock
from service.core.topology import Topology
from service.settings import BrokerSettings


class RequesterError(Exception):
    """Requests cannot be sent or results cannot be read. The message says what to do."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One result as it came: the id from its properties and its decoded body."""

    correlation_id: str
    body: dict[str, Any]


class Requester:
    """Sends requests to one queue over an open channel. Make it with `open_requester`."""

    def __init__(self, channel: AbstractChannel, queue: str, replies: AbstractQueue) -> None:
        self._channel = channel
        self._queue = queue
        self._reply_to = replies.name
        self._arrived: asyncio.Queue[Reply | None] = asyncio.Queue()
        self._clock = SystemClock()

    async def send(
        self,
        body: bytes,
        request_id: str,
        *,
        content_encoding: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Publish one request and wait for the broker's confirm. `request_id` has 1 to 255 bytes in UTF-8.

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
            timestamp=self._clock.now(),
            headers=wire_headers,
        )
        try:
            with link_errors():
                await self._channel.default_exchange.publish(message, self._queue)
        except PublishError as error:
            raise RequesterError(
                f"The queue {self._queue!r} does not exist. Start the worker once, which declares it, "
                "or choose the prefix of the queues that the worker uses."
            ) from error
        except LinkLost as error:
            raise RequesterError(f"The broker connection was lost while sending: {error}.") from error

    async def replies(self) -> AsyncIterator[Reply]:
        """Yield results as they arrive, without end.

        Raises:
            RequesterError: the connection was lost, and the reply queue with it.
        """
        while (reply := await self._arrived.get()) is not None:
            yield reply
        raise RequesterError("The broker connection was lost while waiting for results.")

    async def on_reply(self, message: AbstractIncomingMessage) -> None:
        """Take a result from the library."""
        self._arrived.put_nowait(Reply(message.correlation_id or "", json.loads(message.body)))

    def on_loss(self, *_: object) -> None:
        """Wake the reader when nothing more can come."""
        self._arrived.put_nowait(None)


@asynccontextmanager
async def open_requester(url: str, prefix: str) -> AsyncIterator[Requester]:
    """Connect to the broker at `url`; what else there is to know has the defaults of the settings.

    Raises:
        RequesterError: the broker cannot be used.
    """
    async with requester_for(BrokerSettings(url=SecretStr(url), prefix=prefix)) as requester:
        yield requester


@asynccontextmanager
async def requester_for(broker: BrokerSettings) -> AsyncIterator[Requester]:
    """Connect and make a private reply queue, which goes away with the connection.

    Raises:
        CertificateError: a certificate file cannot be used.
        RequesterError: the broker cannot be reached, or refuses the reply queue.
    """
    async with AsyncExitStack() as stack:
        try:
            connection = await stack.enter_async_context(
                open_connection(link_options_of(broker), "videogen-worker requester")
            )
            with link_errors():
                async with asyncio.timeout(broker.connect_timeout):
                    requester = await _set_up(connection, Topology(broker.prefix).requests)
        except LinkLost as error:
            raise RequesterError(f"The broker cannot be reached: {error}.") from error
        yield requester


async def _set_up(connection: AbstractConnection, requests: str) -> Requester:
    channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
    replies = await channel.declare_queue(exclusive=True, auto_delete=True)
    requester = Requester(channel, requests, replies)
    connection.close_callbacks.add(requester.on_loss)
    channel.close_callbacks.add(requester.on_loss)
    await replies.consume(requester.on_reply, no_ack=True)
    return requester
