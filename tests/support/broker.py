"""The broker that the tests of one session share, and a plain client for what a test sends and reads."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TypeVar

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage

from service.adapters.rabbitmq.declare import remove
from service.core.topology import Topology
from service.settings import RetrySettings

T = TypeVar("T")
WAIT_LIMIT = 20.0
BROKER_LINES = pytest.StashKey[list[str]]()


def announce(config: pytest.Config, line: str) -> None:
    """Show a line at once (an installation takes minutes) and again in the summary."""
    config.stash.setdefault(BROKER_LINES, []).append(line)
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    capture = config.pluginmanager.get_plugin("capturemanager")
    if terminal is not None and capture is not None:
        with capture.global_and_fixture_disabled():
            terminal.ensure_newline()
            terminal.write_line(line)


@contextmanager
def entered(context: AbstractAsyncContextManager[T]) -> Iterator[T]:
    """Hold an async context open around tests that each have a loop of their own.

    Only for contexts that need no turning loop between entry and exit.
    """
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        value = runner.run(context.__aenter__())
        try:
            yield value
        finally:
            runner.run(_leave(context))


async def _leave(context: AbstractAsyncContextManager[object]) -> None:
    await context.__aexit__(None, None, None)


@dataclass(frozen=True, slots=True)
class Amqp:
    """One connection, with a channel that confirms publishes."""

    connection: AbstractConnection
    channel: AbstractChannel

    async def publish(self, queue: str, message: aio_pika.Message) -> None:
        """Put a message into a queue.

        Raises:
            aio_pika.exceptions.PublishError: there is no such queue.
        """
        await self.channel.default_exchange.publish(message, queue, mandatory=True)

    async def receive(self, queue: str) -> AbstractIncomingMessage:
        """Wait for the next message of a queue, and ack it. No other message is taken.

        Raises:
            TimeoutError: none came within 20 s.
        """
        loop = asyncio.get_running_loop()
        arrived: asyncio.Future[AbstractIncomingMessage] = loop.create_future()

        async def take(message: AbstractIncomingMessage) -> None:
            if not arrived.done():
                arrived.set_result(message)

        # A channel of its own: what comes in beyond the first message goes back when it closes.
        async with await self.connection.channel() as channel:
            await channel.set_qos(prefetch_count=1)
            source = await channel.get_queue(queue, ensure=False)
            await source.consume(take)
            message = await asyncio.wait_for(arrived, WAIT_LIMIT)
            await message.ack()
            return message

    async def count(self, queue: str) -> int:
        """Tell how many messages of a queue are ready for delivery."""
        async with await self.connection.channel() as channel:
            declared = await channel.declare_queue(queue, passive=True)
            return declared.declaration_result.message_count or 0


@asynccontextmanager
async def amqp_client(url: str) -> AsyncIterator[Amqp]:
    """Connect."""
    connection = await aio_pika.connect(url, timeout=WAIT_LIMIT)
    async with connection:
        yield Amqp(connection, await connection.channel(publisher_confirms=True, on_return_raises=True))


async def remove_topology(url: str, prefix: str) -> None:
    """Delete the exchange and all queues that the worker declares for `prefix`, with the default retry tiers."""
    async with amqp_client(url) as amqp:
        await remove(amqp.channel, Topology(prefix, RetrySettings().tiers, tracking=True))
