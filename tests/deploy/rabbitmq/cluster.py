"""The cluster of deploy/compose/cluster.yaml as a project of a test's own: other names, other ports."""

import asyncio
import json
import logging
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx

from service.core.topology import Topology
from service.private_broker.free_ports import free_ports
from tests.chaos.harness.waiting import until
from tests.deploy.harness.command import ROOT, attempt, run
from tests.deploy.harness.page import typed
from tests.docs.pages import Block

COMPOSE_FILE = ROOT / "docker-compose.yml"
CLUSTER_FILE = ROOT / "deploy" / "compose" / "cluster.yaml"
NODES = ("rabbit-1", "rabbit-2", "rabbit-3")
PORTS = (*(f"RABBIT_{n}_{what}_PORT" for n in (1, 2, 3) for what in ("AMQP", "MANAGEMENT")), "SIMULATOR_PORT")
REQUESTS = Topology().requests
_RETURN_LIMIT = 120.0
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Login:
    """A user that the cluster is set up with, and the password that it has where nobody chose another."""

    name: str
    password: str


PRODUCER = Login("producer", "producer")
MONITOR = Login("monitor", "monitor")


class Cluster:
    """Three nodes, the workers on them, and what those need."""

    def __init__(self, docker: str) -> None:
        self._client = docker
        self.project = f"videogen-test-{uuid4().hex[:12]}"
        self._environment = {
            "COMPOSE_PROJECT_NAME": self.project,
            "COMPOSE_FILE": str(COMPOSE_FILE),
            "COMPOSE_ENV_FILES": "/dev/null",
            "COMPOSE_PROFILES": "cluster",
            "WORKER_IMAGE": f"{self.project}-worker",
            # Held while a node is away, so that it comes back at the same.
            **{name: str(port) for name, port in zip(PORTS, free_ports(len(PORTS)), strict=True)},
        }

    async def compose(self, *arguments: str) -> str:
        return await self._docker("compose", *arguments)

    async def typed(self, block: Block) -> None:
        """Run a block of a page."""
        await asyncio.to_thread(typed, block, self._environment)

    async def configuration(self) -> dict[str, Any]:
        """Read the services as Docker reads them."""
        services: dict[str, Any] = json.loads(await self.compose("config", "--format", "json"))["services"]
        return services

    @property
    def simulator(self) -> str:
        """The address of the simulated endpoint."""
        return f"http://127.0.0.1:{self._environment['SIMULATOR_PORT']}"

    def amqp(self, node: str, login: Login) -> str:
        return f"amqp://{login.name}:{login.password}@127.0.0.1:{self._port(node, 'AMQP')}/"

    async def kill(self, node: str) -> None:
        """End a node as a power cut would."""
        await self._docker("kill", self._container(node))

    async def shut_down(self, node: str) -> None:
        """Have a node end in good order; Docker starts it again."""
        await self._docker("exec", self._container(node), "rabbitmqctl", "shutdown", "--no-wait")

    async def start(self, node: str) -> None:
        await self._docker("start", self._container(node))

    async def leader(self, asked: str) -> str:
        """Name the node that leads the queue of requests, as `asked` knows it."""
        queue = await self._tell(asked, f"queues/%2F/{REQUESTS}")
        return _short(queue["leader"])

    async def connections(self, asked: str) -> Counter[str]:
        """Count the connections of workers by node."""
        told = await self._tell(asked, "connections")
        return Counter(_short(each["node"]) for each in told if each["user"] == "worker")

    async def until_whole(self, asked: str) -> None:
        """Wait until every queue has three members that are up."""

        async def whole() -> bool:
            try:
                queues = await self._tell(asked, "queues/%2F")
            except httpx.HTTPError:
                return False
            return all(len(queue.get("online", ())) == len(NODES) for queue in queues)

        await until(whole, "every queue has three members that are up", _RETURN_LIMIT)

    async def exit_statuses(self, service: str) -> list[int]:
        """Tell how the containers of a service ended."""
        containers = (await self.compose("ps", "--all", "--quiet", service)).split()
        return [each["State"]["ExitCode"] for each in json.loads(await self._docker("inspect", *containers))]

    async def remove(self) -> None:
        """Remove containers, networks, volumes and the image, as far as they are there."""
        for command in (
            ("compose", "down", "--volumes", "--remove-orphans", "--timeout", "0"),
            ("image", "rm", self._environment["WORKER_IMAGE"]),
        ):
            await asyncio.to_thread(attempt, self._client, *command, environment=self._environment)

    async def _docker(self, *arguments: str) -> str:
        return await asyncio.to_thread(run, self._client, *arguments, environment=self._environment)

    def _container(self, node: str) -> str:
        return f"{self.project}-{node}-1"

    def _port(self, node: str, what: str) -> str:
        return self._environment[f"{node.upper().replace('-', '_')}_{what}_PORT"]

    async def _tell(self, asked: str, path: str) -> Any:  # noqa: ANN401 - whatever JSON
        base = f"http://127.0.0.1:{self._port(asked, 'MANAGEMENT')}/api/"
        login = httpx.BasicAuth(MONITOR.name, MONITOR.password)
        async with httpx.AsyncClient(base_url=base, auth=login, trust_env=False, timeout=30.0) as client:
            return (await client.get(path)).raise_for_status().json()


def another(node: str) -> str:
    return next(each for each in NODES if each != node)


def _short(node: str) -> str:
    return node.removeprefix("rabbit@")


@asynccontextmanager
async def running_cluster(docker: str, start: Block) -> AsyncIterator[Cluster]:
    """Build the image, start the cluster with the commands of a page, and wait until its workers take requests."""
    cluster = Cluster(docker)
    try:
        await cluster.typed(start)
        yield cluster
    except BaseException:
        # Shown with the failure.
        _LOG.exception(
            "%s", await cluster.compose("logs", "--no-color", "--tail=60", "worker-cluster", "cluster-setup")
        )
        raise
    finally:
        await cluster.remove()
