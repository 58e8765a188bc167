"""Reads a parking queue without taking anything out of it, moves its messages on, or drops them.

A message stays the broker's until it is acked: it is read with `basic.get` on a channel of our own, and whatever is not
acked goes back when that channel closes, however the process ends.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from itertools import islice

from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import ChannelNotFoundEntity, DeliveryError, PublishError

from service.adapters.rabbitmq.configured import link_options_of
from service.adapters.rabbitmq.connect import open_connection
from service.adapters.rabbitmq.errors import LinkLost, describe, link_errors
from service.adapters.rabbitmq.headers import writable_headers
from service.adapters.rabbitmq.incoming import delivery_of
from service.adapters.rabbitmq.tolerant_decoding import tolerate_odd_properties
from service.core.delivery import Delivery
from service.core.outgoing import Outgoing, PublishVerdict
from service.settings import BrokerSettings

_NAME = "videogen-worker dead"
_DEFAULT_FRAME = 131_072
# A quorum queue takes so many back one by one before the first is replicated; of more it forgets the order.
_IN_ORDER = 32
_PATIENCE = 1.0


class ParkingError(Exception):
    """The queue cannot be used, or can no longer be. The message says what to do."""


@dataclass(frozen=True, slots=True)
class Held:
    """A message that nobody else sees until the channel closes. `tag` is what it is acked by."""

    delivery: Delivery
    tag: int


class Parking:
    """One parking queue, being read. Make it with `open_parking`.

    `size` is how many messages were ready when it was opened; no more are read, or a message that comes back at once
    would be replayed for ever.
    """

    def __init__(
        self,
        channel: AbstractChannel,
        queue: str,
        size: int,
        largest_frame: int,
        timeout: float,
        new_id: Callable[[], str],
    ) -> None:
        self._channel = channel
        self._queue = queue
        self.size = size
        self._largest_frame = largest_frame
        self._timeout = timeout
        self._new_id = new_id
        self._held: dict[int, None] = {}
        self._closed_by: str | None = None
        channel.close_callbacks.add(self._on_close)

    async def messages(self) -> AsyncIterator[Held]:
        """Yield what is in the queue, first come first, and hold it.

        Raises:
            ParkingError: the connection was lost; everything that was not acked is in the queue again.
        """
        for _ in range(self.size):
            async with self._answering():
                underlay = await self._channel.get_underlay_channel()
                message = await underlay.basic_get(self._queue)
            if message.delivery_tag is None:
                return
            self._held[message.delivery_tag] = None
            yield Held(delivery_of(message), message.delivery_tag)

    async def publish(self, message: Outgoing) -> PublishVerdict:
        """Publish and wait for the broker's word. One after the other, never two at once.

        Raises:
            ParkingError: no word came. The message may have arrived all the same.
        """
        wire = self._wire(message)
        try:
            async with self._answering():
                exchange = await self._channel.get_exchange(message.route.exchange, ensure=False)
                await exchange.publish(wire, message.route.routing_key, mandatory=True)
        except PublishError:
            return PublishVerdict.RETURNED
        except DeliveryError:
            return PublishVerdict.NACKED
        return PublishVerdict.CONFIRMED

    async def take_out(self, held: Held) -> None:
        """Ack a message. It is surely gone from the queue after `settled`.

        Raises:
            ParkingError: the connection was lost.
        """
        async with self._answering():
            underlay = await self._channel.get_underlay_channel()
            await underlay.basic_ack(held.tag)
        del self._held[held.tag]

    async def give_back(self) -> None:
        """Return everything that is held, in its old order: of many, a channel that just closes would shuffle them.

        Raises:
            ParkingError: the connection was lost. The broker has everything back, in any order.
        """
        ready, patient = await self._ready(), True
        while chunk := list(islice(self._held, _IN_ORDER)):
            async with self._answering():
                underlay = await self._channel.get_underlay_channel()
                for tag in chunk:
                    await underlay.basic_nack(tag, requeue=True)
                    del self._held[tag]
            wanted = ready + len(chunk) if patient else 0
            ready = await self._ready(wanted)
            patient = patient and ready >= wanted

    async def _ready(self, at_least: int = 0) -> int:
        """Count what others could read, once it is as much as told; not for ever, for somebody may be reading."""
        async with self._answering():
            loop = asyncio.get_running_loop()
            patience = loop.time() + _PATIENCE
            while (ready := await _size_of(self._channel, self._queue)) < at_least and loop.time() < patience:
                pass
            return ready

    async def settled(self) -> None:
        """Wait until the broker has seen every ack.

        Raises:
            ParkingError: the connection was lost.
        """
        # Acks have no answer of their own; the broker answers what comes after them in turn.
        await self._ready()

    def _on_close(self, _: object, error: BaseException | None) -> None:
        self._closed_by = describe(error)

    @asynccontextmanager
    async def _answering(self) -> AsyncIterator[None]:
        try:
            with link_errors():
                async with asyncio.timeout(self._timeout):
                    yield
        except LinkLost as lost:
            raise ParkingError(
                f"The broker connection was lost: {self._closed_by or lost}. Whatever was not done is in "
                f"the queue {self._queue!r} again; run the command once more."
            ) from lost

    def _wire(self, message: Outgoing) -> Message:
        return Message(
            message.body,
            headers=writable_headers(message.headers or {}, self._largest_frame),
            content_type=message.content_type,
            content_encoding=message.content_encoding,
            delivery_mode=DeliveryMode.PERSISTENT,
            correlation_id=message.correlation_id,
            message_id=message.message_id or self._new_id(),
            timestamp=message.timestamp,
            type=message.type,
            app_id=message.app_id,
            reply_to=message.reply_to,
            priority=message.priority,
        )


@asynccontextmanager
async def open_parking(
    broker: BrokerSettings, queue: str, new_id: Callable[[], str], *, target: str | None = None
) -> AsyncIterator[Parking]:
    """Connect and look at the queue. Nothing is declared; `target` is another queue that has to be there.

    Raises:
        CertificateError: a certificate file cannot be used.
        ParkingError: the broker cannot be reached, or a queue does not exist.
    """
    tolerate_odd_properties()
    async with AsyncExitStack() as stack:
        with _reached():
            connection = await stack.enter_async_context(open_connection(link_options_of(broker), _NAME))
            with link_errors():
                async with asyncio.timeout(broker.connect_timeout):
                    channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
                    if target is not None:
                        await _size_of(channel, target)
                    size = await _size_of(channel, queue)
        parking = Parking(channel, queue, size, _largest_frame(connection), broker.publish_timeout, new_id)
        try:
            yield parking
        finally:
            with suppress(ParkingError):
                await parking.give_back()


@contextmanager
def _reached() -> Iterator[None]:
    try:
        yield
    except LinkLost as lost:
        raise ParkingError(f"The broker cannot be reached: {lost}.") from lost


async def _size_of(channel: AbstractChannel, queue: str) -> int:
    try:
        declared = await channel.declare_queue(queue, passive=True)
    except ChannelNotFoundEntity as error:
        raise ParkingError(
            f"The queue {queue!r} does not exist. Start the worker once, which declares it, "
            "or choose the prefix of the queues that the worker uses."
        ) from error
    return declared.declaration_result.message_count or 0


def _largest_frame(connection: AbstractConnection) -> int:
    transport = connection.transport
    tuned = transport.connection.connection_tune.frame_max if transport else None
    # AMQP 0-9-1 section 1.4.2.6: 0 means no limit.
    return tuned or _DEFAULT_FRAME
