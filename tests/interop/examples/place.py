"""Where an example is tried: a broker, names of its own there, and a worker when one is wanted."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aio_pika.abc import AbstractIncomingMessage, ExchangeType

from service.adapters.rabbitmq.declare import declare
from service.core.topology import Topology
from service.settings import RetrySettings
from service.simulator.server import Simulator
from tests.interop.examples.example import Example
from tests.support.broker import amqp_client
from tests.support.running import running_worker, settings_for, simulated_endpoint

OVER_AMQP = (
    "aio_pika_producer.py",
    "amqplib_producer.js",
    "client_producer.py",
    "php_amqplib_producer.php",
    "pika_producer.py",
)
THROUGH_THE_API = "management_api.sh"


@dataclass(frozen=True, slots=True)
class Place:
    """An example, and the broker that its variables lead to."""

    example: Example
    broker_url: str
    prefix: str

    @asynccontextmanager
    async def worker(self, folder: Path) -> AsyncIterator[Simulator]:
        """Run a worker that keeps its ledger in `folder`."""
        async with simulated_endpoint() as simulator:
            settings = settings_for(
                self.broker_url, self.prefix, simulator.base_url, ledger=f"sqlite:///{folder}/ledger.db"
            )
            async with running_worker(settings):
                yield simulator

    async def declare(self) -> None:
        """Leave the queues as a worker does that has run and is away."""
        async with amqp_client(self.broker_url) as amqp:
            await declare(amqp.channel, self._topology)

    @asynccontextmanager
    async def exchange_alone(self) -> AsyncIterator[None]:
        """Have the exchange for requests, and no queue that takes them."""
        async with amqp_client(self.broker_url) as amqp:
            exchange = await amqp.channel.declare_exchange(self._topology.exchange, ExchangeType.TOPIC, durable=True)
            yield
            await exchange.delete()

    async def waiting_request(self) -> AbstractIncomingMessage:
        """Look at the first request that waits for a worker."""
        async with amqp_client(self.broker_url) as amqp:
            queue = await amqp.channel.get_queue(self._topology.requests)
            message = await queue.get()
            await message.reject(requeue=True)
            return message

    @property
    def _topology(self) -> Topology:
        return Topology(self.prefix, RetrySettings().tiers)


def over_amqp(name: str, broker_url: str, prefix: str) -> Place:
    variables = {"VIDEOGEN_BROKER__URL": broker_url, "VIDEOGEN_BROKER__PREFIX": prefix}
    return Place(Example.named(name, **variables), broker_url, prefix)


def through_the_api(management_url: str, broker_url: str, prefix: str) -> Place:
    variables = {"VIDEOGEN_BROKER__MANAGEMENT_URL": management_url, "VIDEOGEN_BROKER__PREFIX": prefix}
    return Place(Example.named(THROUGH_THE_API, **variables), broker_url, prefix)
