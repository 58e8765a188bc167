"""A broker of a test's own, reached as its administrator and as the users of the definitions."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit
from uuid import uuid4

import aio_pika
import httpx
from aio_pika.abc import AbstractChannel

from service.private_broker import private_node
from service.private_broker.broker import Say
from service.private_broker.free_ports import free_ports
from service.private_broker.probe import wait_for_version
from tests.deploy.harness.command import run
from tests.deploy.rabbitmq.definitions import VHOST, shipped

ADMIN = "guest"
WORKER, PRODUCER, MONITOR = "worker", "producer", "monitor"
IMAGE = "rabbitmq:4-management"
_START_LIMIT = 90.0
_GIVES_FIGURES_EVERY = "500"

Control = Callable[..., Awaitable[str]]


@dataclass(slots=True)
class Stand:
    """`control` runs `rabbitmqctl`; `place` puts a file where that finds it. Addresses are `host:port`.

    `command` is how a shell runs `rabbitmqctl`, where one can.
    """

    version: str
    amqp: str
    management: str
    control: Control
    place: Callable[[Path], Awaitable[str]]
    command: str | None = None
    passwords: dict[str, str] = field(default_factory=lambda: {ADMIN: ADMIN})

    def url(self, user: str) -> str:
        return f"amqp://{user}:{self.passwords[user]}@{self.amqp}/"

    def management_url(self, user: str) -> str:
        return f"http://{user}:{self.passwords[user]}@{self.management}"

    async def clear(self) -> None:
        """Take away every queue, exchange and user that a test may have left."""
        for queue in await self.ask(ADMIN, "GET", f"queues/{quote(VHOST, safe='')}"):
            await self.ask(ADMIN, "DELETE", f"queues/{quote(VHOST, safe='')}/{quote(queue['name'])}")
        for user in (WORKER, PRODUCER, MONITOR):
            await self.ask(ADMIN, "DELETE", f"users/{user}")
        await self.ask(ADMIN, "DELETE", f"exchanges/{quote(VHOST, safe='')}/videogen")
        self.passwords = {ADMIN: ADMIN}

    async def lay_out(self) -> None:
        """Import the definitions into the cleared broker, and give each user a password."""
        await self.clear()
        await self.ask(ADMIN, "POST", "definitions", shipped())
        for user in shipped()["users"]:
            password = f"of-{user['name']}"
            await self.ask(ADMIN, "PUT", f"users/{user['name']}", {"password": password, "tags": user["tags"]})
            self.passwords[user["name"]] = password

    async def ask(self, user: str, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 - whatever JSON
        """Send a request to the management API; None where there is no such thing.

        Raises:
            httpx.HTTPStatusError: it was refused.
        """
        credentials = httpx.BasicAuth(user, self.passwords[user])
        async with httpx.AsyncClient(auth=credentials, trust_env=False, timeout=20.0) as client:
            response = await client.request(method, f"http://{self.management}/api/{path}", json=body)
        if response.status_code == httpx.codes.NOT_FOUND:
            return None
        response.raise_for_status()
        return response.json() if response.content else None

    @asynccontextmanager
    async def channel(self, user: str) -> AsyncIterator[AbstractChannel]:
        """Hold a channel of a connection of its own, with confirms."""
        async with await aio_pika.connect(self.url(user), timeout=20.0) as connection:
            yield await connection.channel(publisher_confirms=True, on_return_raises=True)

    async def ready(self, queue: str) -> int:
        """Tell how many messages of a queue are ready for delivery."""
        async with self.channel(ADMIN) as channel:
            declared = await channel.declare_queue(queue, passive=True)
            return declared.declaration_result.message_count or 0


@asynccontextmanager
async def installed_rabbitmq(say: Say) -> AsyncIterator[Stand]:
    """Run the machine's own RabbitMQ as a private node."""
    (port,) = free_ports(1)
    configuration = {
        "management.tcp.ip": "127.0.0.1",
        "management.tcp.port": str(port),
        "collect_statistics_interval": _GIVES_FIGURES_EVERY,
    }

    async def as_it_is(file: Path) -> str:
        return str(file)

    async with private_node(say, plugins=["rabbitmq_management"], configuration=configuration) as node:
        address = f"127.0.0.1:{urlsplit(node.url).port}"
        yield Stand(node.version, address, f"127.0.0.1:{port}", node.run_ctl, as_it_is)


@asynccontextmanager
async def rabbitmq_4(docker: str) -> AsyncIterator[Stand]:
    """Run RabbitMQ 4 in a container."""
    ports = ("--publish=127.0.0.1::5672", "--publish=127.0.0.1::15672")
    container = f"videogen-test-{uuid4().hex[:12]}"
    await _run(docker, "run", "--detach", "--rm", f"--name={container}", *ports, IMAGE)

    async def control(*arguments: str) -> str:
        return await _run(docker, "exec", container, "rabbitmqctl", *arguments)

    async def copy(file: Path) -> str:
        inside = f"/var/lib/rabbitmq/{file.name}"
        await _run(docker, "cp", str(file), f"{container}:{inside}")
        return inside

    try:
        amqp, management = [(await _run(docker, "port", container, port)).splitlines()[0] for port in ("5672", "15672")]
        version = await wait_for_version(f"amqp://{ADMIN}:{ADMIN}@{amqp}/", _START_LIMIT)
        command = f"{docker} exec --interactive {container} rabbitmqctl"
        yield Stand(version, amqp, management, control, copy, command)
    finally:
        await _run(docker, "rm", "--force", "--volumes", container)


async def _run(*command: str) -> str:
    return await asyncio.to_thread(run, *command)
