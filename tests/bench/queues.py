"""The broker objects of one measurement: all that the worker declares, and a quorum queue for results."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import uuid4

from service.adapters.rabbitmq.declare import declare, remove
from service.core.topology import Topology
from service.settings import RetrySettings
from tests.support.broker import amqp_client


@dataclass(frozen=True, slots=True)
class Queues:
    """Names that no other measurement uses."""

    topology: Topology
    replies: str


@asynccontextmanager
async def declared(broker_url: str, *, only_names: bool = False) -> AsyncIterator[Queues]:
    """Declare them, the same for every rival; they are deleted with what is left in them.

    `only_names`: whoever uses them makes them.
    """
    topology = Topology(f"bench-{uuid4().hex[:12]}", RetrySettings().tiers)
    queues = Queues(topology, f"{topology.prefix}.replies")
    if not only_names:
        async with amqp_client(broker_url) as amqp:
            await declare(amqp.channel, queues.topology)
            await amqp.channel.declare_queue(queues.replies, durable=True, arguments={"x-queue-type": "quorum"})
    try:
        yield queues
    finally:
        async with amqp_client(broker_url) as amqp:
            await remove(amqp.channel, queues.topology)
            await amqp.channel.queue_delete(queues.replies)
