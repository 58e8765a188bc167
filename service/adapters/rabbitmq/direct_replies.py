"""Publishes to direct reply-to names and finds out whether the requester was there.

With `mandatory` the broker returns a direct reply even when it delivered it, and without it says nothing. But the
pseudo queue of a requester exists as long as its channel does: found after the publish means that it was there at
the publish. Source: https://www.rabbitmq.com/docs/direct-reply-to
"""

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Self, cast

import aiormq.channel
from aio_pika.exceptions import ChannelNotFoundEntity, DeliveryError

from service.adapters.rabbitmq.connect import LinkOptions, open_connection
from service.adapters.rabbitmq.errors import LinkLost, link_errors

if TYPE_CHECKING:
    from aio_pika.abc import AbstractChannel

PSEUDO_QUEUE = "amq.rabbitmq.reply-to"
"""What a requester writes into `reply_to`. The broker makes an address of it, and closes the channel of anyone else."""

_PREFIX = f"{PSEUDO_QUEUE}."
_NAME = "videogen-worker direct replies"


def is_direct(queue: str) -> bool:
    """Tell whether a queue name is one of a direct reply-to."""
    return queue.startswith(_PREFIX)


class _LookUp(aiormq.spec.Queue.Declare):
    """A declaration whose queue name may hold what the broker puts into it: the library refuses some of that."""

    def validate(self) -> None:  # type: ignore[explicit-override] # `typing.override` came with Python 3.12
        pass


class DirectReplies:
    """Delivers direct replies, one after the other, over a connection of its own.

    Of its own, because the broker ends a connection that publishes to a forged name (INTERNAL_ERROR, seen with 3.10),
    and the publishes of others must not go with it.
    """

    def __init__(self, options: LinkOptions) -> None:
        self._options = options
        self._turn = asyncio.Lock()
        self._open = AsyncExitStack()
        self._channel: AbstractChannel | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._forget()

    async def deliver(self, body: bytes, properties: aiormq.spec.Basic.Properties, queue: str) -> bool:
        """Publish a reply; tell whether its requester surely had it. Where not, the caller must keep it elsewhere."""
        async with self._turn:
            try:
                async with asyncio.timeout(self._options.connect_timeout):
                    return await self._deliver(body, properties, queue)
            except (LinkLost, DeliveryError, TimeoutError):
                await self._forget()
                return False

    async def _deliver(self, body: bytes, properties: aiormq.spec.Basic.Properties, queue: str) -> bool:
        channel = await self._ready_channel()
        with link_errors():
            underlay = cast("aiormq.channel.Channel", await channel.get_underlay_channel())
            await underlay.basic_publish(body, routing_key=queue, properties=properties)
            try:
                await underlay.rpc(_LookUp(queue=queue, passive=True))
            except ChannelNotFoundEntity:
                await self._forget()
                return False
        return True

    async def _ready_channel(self) -> "AbstractChannel":
        if self._channel is None or self._channel.is_closed:
            await self._forget()
            connection = await self._open.enter_async_context(open_connection(self._options, _NAME))
            with link_errors():
                self._channel = await connection.channel(publisher_confirms=True)
        return self._channel

    async def _forget(self) -> None:
        self._channel = None
        await self._open.aclose()
