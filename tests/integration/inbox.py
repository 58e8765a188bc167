"""A consumer at work for a test, and everything that reached its `accept`."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from service.adapters.rabbitmq.consumer import RabbitConsumer
from service.adapters.rabbitmq.link import Link
from service.core.facts import LinkRole
from service.core.ports import Incoming
from tests.support.broker import Amqp
from tests.support.fakes import GUARD, Changes, RecordingObserver
from tests.support.links import link_to, running


class Inbox:
    """Everything that reached `accept`; `at_first` is called with the first message."""

    def __init__(self) -> None:
        self.messages: list[Incoming] = []
        self.at_first: Callable[[], None] = lambda: None
        self._changes = Changes()

    def accept(self, incoming: Incoming) -> None:
        self.messages.append(incoming)
        if len(self.messages) == 1:
            self.at_first()
        self._changes.happened()

    async def wait_for(self, count: int) -> Incoming:
        """Wait for message number `count`, from 1."""
        await self._changes.until(lambda: len(self.messages) >= count)
        return self.messages[count - 1]


async def declare_requests(amqp: Amqp, name: str) -> None:
    """Make a queue of the kind that requests are in."""
    await amqp.channel.declare_queue(name, durable=True, arguments={"x-queue-type": "quorum"})


@asynccontextmanager
async def consuming(
    url: str,
    queue: str,
    inbox: Inbox,
    observer: RecordingObserver,
    prefetch: int = 5,
    *,
    within: float = GUARD,
    paused: bool = False,
) -> AsyncIterator[tuple[RabbitConsumer, Link]]:
    """Run a consumer on a link of its own."""
    consumer = RabbitConsumer(queue, prefetch, inbox.accept, observer, within)
    if paused:
        await consumer.pause()
    link = link_to(url, observer, consumer.start, role=LinkRole.CONSUME)
    async with running(link), asyncio.timeout(3 * GUARD):
        yield consumer, link


async def round_trip(link: Link) -> None:
    """Ask and wait for the answer: what the broker sent on this channel before has arrived then."""
    channel = (await link.session()).channel
    await channel.declare_exchange("amq.topic", passive=True)
