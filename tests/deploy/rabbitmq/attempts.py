"""What a user may try at a broker, and whether it is let."""

from collections.abc import Awaitable, Callable

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, HeadersType
from aiormq.abc import ArgumentsType
from aiormq.exceptions import ChannelAccessRefused, PublishError

from tests.deploy.rabbitmq.stand import Stand

Attempt = Callable[[AbstractChannel], Awaitable[object]]


async def refused(stand: Stand, user: str, attempt: Attempt) -> bool:
    """Try it on a connection of its own; tell whether the broker refused it for lack of permission."""
    async with stand.channel(user) as channel:
        try:
            await attempt(channel)
        except ChannelAccessRefused:
            return True
        except PublishError:
            # It was let through, and led to no queue.
            return False
    return False


def publish(exchange: str, key: str, headers: HeadersType | None = None) -> Attempt:
    async def attempt(channel: AbstractChannel) -> object:
        target = await channel.get_exchange(exchange, ensure=False) if exchange else channel.default_exchange
        return await target.publish(aio_pika.Message(b"{}", headers=headers), key, mandatory=True)

    return attempt


def get(queue: str) -> Attempt:
    async def attempt(channel: AbstractChannel) -> object:
        return await (await channel.get_queue(queue, ensure=False)).get(fail=False)

    return attempt


def consume(queue: str) -> Attempt:
    async def attempt(channel: AbstractChannel) -> object:
        return await (await channel.get_queue(queue, ensure=False)).consume(_ignore)

    return attempt


def purge(queue: str) -> Attempt:
    async def attempt(channel: AbstractChannel) -> object:
        return await (await channel.get_queue(queue, ensure=False)).purge()

    return attempt


def delete(queue: str) -> Attempt:
    return lambda channel: channel.queue_delete(queue)


def delete_exchange(name: str) -> Attempt:
    return lambda channel: channel.exchange_delete(name)


def declare(queue: str | None, arguments: ArgumentsType | None = None) -> Attempt:
    return lambda channel: channel.declare_queue(queue, exclusive=True, arguments=arguments)


def declare_exchange(name: str) -> Attempt:
    return lambda channel: channel.declare_exchange(name, "topic", durable=True)


def listen(exchange: str, key: str) -> Attempt:
    """Bind a queue of one's own."""

    async def attempt(channel: AbstractChannel) -> object:
        return await (await channel.declare_queue(exclusive=True)).bind(exchange, key)

    return attempt


async def _ignore(_message: AbstractIncomingMessage) -> None:
    """Whether it may be asked for is the question."""
