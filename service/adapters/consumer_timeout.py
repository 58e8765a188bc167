"""Finds out the broker's own consumer timeout, which nothing tells but its list of consumers."""

import asyncio
import secrets

from aio_pika.abc import AbstractConnection, AbstractIncomingMessage

from service.adapters.management import ManagementApi
from service.adapters.rabbitmq.errors import link_errors

_POLL_INTERVAL = 0.5


async def default_consumer_timeout(connection: AbstractConnection, api: ManagementApi, prefix: str) -> int:
    """Consume from an empty queue of our own, which goes with its channel, until the broker lists us.

    Returns:
        Milliseconds. Waits for as long as the caller lets it: brokers before 3.12, and those without a limit or without
        statistics, never tell.

    Raises:
        LinkLost: the broker refuses such a queue, or the connection ended.
        ManagementUnavailable: the management API went away.
    """
    name = f"{prefix}.check.{secrets.token_hex(8)}"
    with link_errors():
        async with await connection.channel() as channel:
            queue = await channel.declare_queue(name, exclusive=True, auto_delete=True)
            await queue.consume(_ignore)
            while True:
                told = await api.consumer_timeout(name)
                if told is not None:
                    return told
                await asyncio.sleep(_POLL_INTERVAL)


async def _ignore(_message: AbstractIncomingMessage) -> None:
    """Nobody knows the queue's name, so none comes."""
