"""What is left in the queues when no worker runs: then every message is ready, and the counts are exact."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aio_pika.abc import AbstractChannel

from service.adapters.rabbitmq.declare import declare, remove
from service.core.topology import Topology
from tests.chaos.harness.verdict import Verdict
from tests.support.broker import amqp_client


@dataclass(frozen=True, slots=True)
class Leftovers:
    """Message counts by queue, and the request ids of the copies in the dead-letter queue."""

    counts: Mapping[str, int]
    dead: frozenset[str]
    topology: Topology

    def complaints(self, verdict: Verdict) -> list[str]:
        """Name what should not be there, and what should and is not."""
        names = (self.topology.requests, *(self.topology.retry_queue(tier) for tier in self.topology.tiers))
        full = {name: self.counts[name] for name in (*names, self.topology.undelivered) if self.counts[name]}
        failed = verdict.failed.keys()
        complaints = [f"{count} messages are left in {name}" for name, count in full.items()]
        if missing := failed - self.dead:
            complaints.append(f"{len(missing)} failed requests have no copy in {self.topology.dead}: {min(missing)}")
        if surplus := self.dead - failed:
            complaints.append(f"{len(surplus)} requests in {self.topology.dead} did not fail: {min(surplus)}")
        return complaints


async def leftovers(url: str, topology: Topology) -> Leftovers:
    """Count, and empty the dead-letter queue."""
    async with amqp_client(url) as amqp:
        counts = {spec.name: await amqp.count(spec.name) for spec in topology.queues}
        return Leftovers(counts, frozenset(await _dead(amqp.channel, topology)), topology)


async def _dead(channel: AbstractChannel, topology: Topology) -> list[str]:
    queue = await channel.get_queue(topology.dead, ensure=False)
    names = []
    while (message := await queue.get(fail=False, no_ack=True)) is not None:
        # The broker moves a message as it is; only the worker's own copies name the request in a header.
        names.append(str(message.headers.get("x-request-id") or message.message_id))
    return names


@asynccontextmanager
async def declared(url: str, topology: Topology, replies: str) -> AsyncIterator[None]:
    """Declare all objects and a durable queue for results; delete them at the end."""
    async with amqp_client(url) as amqp:
        await declare(amqp.channel, topology)
        # Of the classic type: a quorum queue of RabbitMQ 3.10.8 was seen to hang for good after a restart, and the
        # worker then rightly takes its result elsewhere. What is tried here is the worker.
        await amqp.channel.declare_queue(replies, durable=True)
    try:
        yield
    finally:
        async with amqp_client(url) as amqp:
            await remove(amqp.channel, topology)
            await amqp.channel.queue_delete(replies)
