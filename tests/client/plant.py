"""A worker with a ledger, its simulated endpoint, and clients whose way to the broker can be cut."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aio_pika.exceptions import ChannelNotFoundEntity

from service.client import Options, Replies, VideogenClient
from service.core.topology import Topology
from service.simulator.server import Simulator
from tests.support.broker import amqp_client
from tests.support.links import proxy_to, with_address
from tests.support.running import Running, running_worker, settings_for, simulated_endpoint
from tests.support.tcp_proxy import TcpProxy

MODEL = "wan2.2-t2v-plus"


def options_for(prefix: str, replies: Replies = Replies.QUEUE) -> Options:
    """Options that come back fast."""
    return Options(prefix=prefix, replies=replies, reconnect_cap=0.5, timeout=30.0)


@dataclass(slots=True)
class Plant:
    """Everything that is up; `url` leads to the broker through `proxy`."""

    broker_url: str
    url: str
    proxy: TcpProxy
    simulator: Simulator
    running: Running
    topology: Topology
    clients: list[VideogenClient] = field(default_factory=list)

    def client(self, replies: Replies = Replies.QUEUE) -> VideogenClient:
        client = VideogenClient(self.url, options_for(self.topology.prefix, replies))
        self.clients.append(client)
        return client

    async def reply_queues(self) -> list[str]:
        """Name the private queues of its clients that the broker has."""
        names = [client._exchange._address.name for client in self.clients]
        return [name for name in names if name.startswith("reply.") and await has_queue(self.broker_url, name)]

    async def nothing_left_behind(self) -> None:
        """Fail if a private queue, a wait or a task of a client is still there."""
        assert await self.reply_queues() == []
        assert [client.pending for client in self.clients] == [0] * len(self.clients)
        assert [task for task in asyncio.all_tasks() if "service/client" in repr(task)] == []


async def has_queue(url: str, name: str) -> bool:
    """Tell whether the broker has a queue."""
    async with amqp_client(url) as amqp:
        try:
            await amqp.channel.declare_queue(name, passive=True)
        except ChannelNotFoundEntity:
            return False
        return True


@asynccontextmanager
async def plant_at(broker_url: str, prefix: str, folder: Path) -> AsyncIterator[Plant]:
    """Put all of it up."""
    async with (
        simulated_endpoint() as simulator,
        proxy_to(broker_url) as proxy,
        running_worker(
            settings_for(broker_url, prefix, simulator.base_url, ledger=f"sqlite:///{folder}/ledger.db")
        ) as running,
    ):
        url = with_address(broker_url, port=proxy.port)
        yield Plant(broker_url, url, proxy, simulator, running, Topology(prefix))
