"""Where answers come in: a private queue, or direct reply-to."""

import asyncio
import uuid
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from aio_pika.abc import AbstractIncomingMessage
from aio_pika.exceptions import ChannelNotFoundEntity

from service.adapters.rabbitmq.direct_replies import PSEUDO_QUEUE
from service.adapters.rabbitmq.errors import LinkLost, link_errors
from service.adapters.rabbitmq.link import Session
from service.client.options import Replies, Way
from service.core.completion import COMPLETION_TYPE

_PREFETCH = 200
_CLOSE_TIMEOUT = 3.0
# A worker that has sent an answer looks whether we are there, a round trip later (docs/decisions/0003). Whoever has
# left by then has a copy of the answer in `undelivered`, and its operator an alert.
_LINGER = 0.5

OnAnswer = Callable[[str, bytes], None]
"""Takes a correlation id and a body."""


class ReplyAddress(Protocol):
    """`name` is for `reply_to`; `number` changes when answers to what was asked before can no longer come in."""

    @property
    def name(self) -> str:
        """The address of the present session."""
        ...

    @property
    def number(self) -> int:
        """Counts the addresses so far."""
        ...

    async def open(self, session: Session) -> None:
        """Let answers come in on a new session. Runs under `link_errors`."""
        ...

    async def close(self, session: Session) -> None:
        """Leave nothing behind at the broker."""
        ...


class PrivateQueue:
    """A durable queue of our own, with a new name where the old one is gone.

    Classic, not quorum: it has one reader and lives as long as a client, and a quorum queue would cost a Raft group for
    each. Whatever is lost with its node is asked again; the ledger answers that without a call.
    """

    def __init__(self, prefix: str, expires: float, on_answer: OnAnswer) -> None:
        self._prefix = prefix
        self._expires = round(expires * 1000)
        self._on_answer = on_answer
        self.name = ""
        self.number = 0
        self._tag = ""

    async def open(self, session: Session) -> None:
        """Consume from the queue, declared anew where it is gone."""
        channel = session.channel
        if not self.name or await self._gone(session):
            self.name, self.number = f"{self._prefix}.{uuid.uuid4()}", self.number + 1
        underlay = await channel.get_underlay_channel()
        underlay.on_consumer_cancel_callbacks.add(lambda _: session.end("the reply queue was deleted"))
        await channel.set_qos(prefetch_count=_PREFETCH)
        queue = await channel.declare_queue(self.name, durable=True, arguments={"x-expires": self._expires})
        self._tag = await queue.consume(self._receive)

    async def close(self, session: Session) -> None:
        """Delete the queue. With the broker away, `x-expires` does it."""
        with suppress(LinkLost, TimeoutError):
            async with asyncio.timeout(_CLOSE_TIMEOUT), session.lasting():
                with link_errors():
                    underlay = await session.channel.get_underlay_channel()
                    # Else the broker cancels the consumer, which looks like a fault.
                    await underlay.basic_cancel(self._tag)
                    await underlay.queue_delete(self.name)

    async def _gone(self, session: Session) -> bool:
        # On a channel of its own: the broker closes the one on which it is asked for what is not there.
        probe = await session.connection.channel(publisher_confirms=False)
        try:
            await probe.declare_queue(self.name, passive=True)
        except ChannelNotFoundEntity:
            return True
        await probe.close()
        return False

    async def _receive(self, message: AbstractIncomingMessage) -> None:
        _hand_on(message, self._on_answer)
        # Over a connection that was lost meanwhile it comes again, and is dropped then.
        with suppress(LinkLost), link_errors():
            await message.ack()


class DirectReplyTo:
    """The broker's pseudo queue, which lives as long as its channel."""

    def __init__(self, on_answer: OnAnswer) -> None:
        self._on_answer = on_answer
        self.name = PSEUDO_QUEUE
        self.number = 0
        self._answered_at: float | None = None

    async def open(self, session: Session) -> None:
        """Consume; it must be on the channel that requests are published on."""
        self.number += 1
        queue = await session.channel.get_queue(PSEUDO_QUEUE, ensure=False)
        await queue.consume(self._receive, no_ack=True)

    async def close(self, session: Session) -> None:  # noqa: ARG002 - the port's
        """Stay until the worker has seen that its last answer found us. There is nothing to delete."""
        if self._answered_at is not None:
            await asyncio.sleep(self._answered_at + _LINGER - asyncio.get_running_loop().time())

    async def _receive(self, message: AbstractIncomingMessage) -> None:
        self._answered_at = asyncio.get_running_loop().time()
        _hand_on(message, self._on_answer)


def _hand_on(message: AbstractIncomingMessage, on_answer: OnAnswer) -> None:
    # How the task ended may be told here too, under the same correlation id. It is no answer to a request.
    if message.type != COMPLETION_TYPE:
        on_answer(message.correlation_id or "", message.body)


def reply_address(way: Way, on_answer: OnAnswer) -> ReplyAddress:
    """Make the kind that is wanted."""
    if way.replies is Replies.DIRECT:
        return DirectReplyTo(on_answer)
    return PrivateQueue(way.reply_prefix, way.reply_expires, on_answer)
