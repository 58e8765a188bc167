"""Deliveries in, settles out.

Works on aiormq's deliveries, one floor below aio-pika's `IncomingMessage`: that floor starts a second task and makes a
second object for each message, and all we need is a plain copy.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta

from aiormq.abc import AbstractChannel, DeliveredMessage

from service.adapters.rabbitmq.errors import LinkLost, link_errors
from service.adapters.rabbitmq.link import Session
from service.core.delivery import Delivery
from service.core.facts import ConsumerActive
from service.core.ports import Incoming, Observer

_START_TIMEOUT = 30.0
_CANCEL_TIMEOUT = 5.0


class RabbitIncoming:
    """One delivery and the right to settle it, exactly once. Keeps port `Incoming`."""

    def __init__(self, message: DeliveredMessage) -> None:
        self._channel = message.channel
        self._tag = message.delivery_tag or 0
        self._settled = False
        self._delivery = delivery_of(message)

    @property
    def delivery(self) -> Delivery:
        """The message as the core sees it."""
        return self._delivery

    async def ack(self) -> None:
        """Tell the broker that the message is done with."""
        await self._settle(lambda: self._channel.basic_ack(self._tag))

    async def hand_back(self) -> None:
        """Give the message back to its queue."""
        await self._settle(lambda: self._channel.basic_reject(self._tag, requeue=True))

    async def _settle(self, settle: Callable[[], Awaitable[None]]) -> None:
        if self._settled:
            raise RuntimeError("this delivery was settled before")
        self._settled = True
        # On a dead channel the broker has taken the message back already: there is nothing left to settle.
        with suppress(LinkLost), link_errors():
            await settle()


class RabbitConsumer:
    """Consumes one queue over one link and hands every delivery to `accept`.

    `accept` must return at once: the library runs it in a task that it cancels when the channel closes.
    """

    def __init__(self, queue: str, prefetch: int, accept: Callable[[Incoming], None], observer: Observer) -> None:
        self._queue = queue
        self._prefetch = prefetch
        self._accept = accept
        self._observer = observer
        self._stop = asyncio.Event()
        self._active: tuple[Session, AbstractChannel, str] | None = None

    async def start(self, session: Session) -> None:
        """Consume on a new session, unless the consumer was stopped for good."""
        if self._stop.is_set():
            return
        with link_errors():
            async with asyncio.timeout(_START_TIMEOUT):
                await session.channel.set_qos(prefetch_count=self._prefetch)
                underlay = await session.channel.get_underlay_channel()
                underlay.on_consumer_cancel_callbacks.add(
                    lambda _: session.end("the broker cancelled the consumer, its queue may have been deleted")
                )
                consuming = await underlay.basic_consume(self._queue, self._on_message)
        self._active = (session, underlay, consuming.consumer_tag or "")
        session.ended.add_done_callback(lambda _: self._ended(session))
        self._observer.notify(ConsumerActive(active=True))
        if self._stop.is_set():
            # Stopped while the broker answered: nobody else would cancel this one.
            await self.stop()

    async def stop(self) -> None:
        """Stop consuming for good; deliveries that were on their way still reach `accept`."""
        self._stop.set()
        if self._active is None:
            return
        session, channel, tag = self._active
        with suppress(LinkLost), link_errors():
            async with asyncio.timeout(_CANCEL_TIMEOUT):
                await channel.basic_cancel(tag)
        self._ended(session)

    def _ended(self, session: Session) -> None:
        if self._active is not None and self._active[0] is session:
            self._active = None
            self._observer.notify(ConsumerActive(active=False))

    async def _on_message(self, message: DeliveredMessage) -> None:
        self._accept(RabbitIncoming(message))


def delivery_of(message: DeliveredMessage) -> Delivery:
    """Copy a message out of the library's type."""
    properties = message.header.properties
    return Delivery(
        body=message.body,
        message_id=properties.message_id or None,
        correlation_id=properties.correlation_id or None,
        reply_to=properties.reply_to or None,
        content_type=properties.content_type or None,
        content_encoding=properties.content_encoding or None,
        timestamp=properties.timestamp,
        expiration=_milliseconds(properties.expiration),
        headers=properties.headers or {},
        redelivered=bool(message.redelivered),
    )


def _milliseconds(text: str | None) -> timedelta | None:
    # The broker checks the form on publish, but not that a timedelta can hold it.
    try:
        return timedelta(milliseconds=int(text)) if text else None
    except (ValueError, OverflowError):
        return None
