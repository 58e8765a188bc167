"""Puts messages into the parking queues the way the worker does, and runs the commands on them."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta

import aio_pika
from aio_pika.abc import AbstractIncomingMessage

from service.adapters.rabbitmq.declare import declare
from service.core.topology import Topology
from tests.support.broker import WAIT_LIMIT, Amqp
from tests.support.process import Process, process

BODY = b'{"prompt": "a secret cat", "model": "wan2.2-t2v-plus"}'


class ParkingLot:
    """The queues of one test, and the commands that work on them."""

    def __init__(self, amqp: Amqp, url: str, prefix: str) -> None:
        self.amqp = amqp
        self.topology = Topology(prefix)
        self._environment = {
            "VIDEOGEN_BROKER__URL": url,
            "VIDEOGEN_BROKER__PREFIX": prefix,
            "COLUMNS": "200",
        }

    async def open(self) -> None:
        await declare(self.amqp.channel, self.topology)

    async def add_dead(
        self, request_id: str, code: str = "rejected", *, age: timedelta = timedelta(0), **headers: str | int
    ) -> None:
        """Park a copy of a request, as `core.replies.dead_message` writes it."""
        named = {f"x-{name.replace('_', '-')}": value for name, value in headers.items()}
        seen = (datetime.now(UTC) - age).isoformat()
        message = aio_pika.Message(
            BODY,
            message_id=f"copy-of-{request_id}",
            correlation_id="theirs",
            content_type="application/json",
            app_id="videogen-worker",
            headers={
                "x-attempts": 2,
                "x-error-message": "the endpoint said no",
                "x-first-seen": seen,
                "x-reply-to": "replies",
                **named,
                "x-error-code": code,
                "x-request-id": request_id,
                "tenant": "shop",
            },
        )
        await self.amqp.publish(self.topology.dead, message)

    async def add_undelivered(self, request_id: str, address: str, **fields: object) -> None:
        body = {"request_id": request_id, "status": "submitted", "task_id": f"task-of-{request_id}", **fields}
        message = aio_pika.Message(
            json.dumps(body).encode(),
            message_id=f"result-of-{request_id}",
            timestamp=datetime.now(UTC) - timedelta(hours=3),
            type="videogen.result.v1",
            headers={"x-original-reply-to": address},
        )
        await self.amqp.publish(self.topology.undelivered, message)

    def command(self, *arguments: str, **settings: str) -> AbstractAsyncContextManager[Process]:
        return process(*arguments, environment={**self._environment, **settings})

    async def run(self, *arguments: str) -> tuple[int, str]:
        """Run a command to its end; give its exit status and what it said."""
        async with self.command(*arguments) as running:
            status = await running.exits()
        said = "\n".join(running.output)
        assert "Traceback" not in said
        return status, said

    @asynccontextmanager
    async def asked(self, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
        """Run a command up to its question, and let the caller answer."""
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "service", *arguments),
            env={**os.environ, **self._environment},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert child.stdout is not None
        try:
            async with asyncio.timeout(WAIT_LIMIT):
                await child.stdout.readuntil(b"[y/N]: ")
            yield child
        finally:
            if child.returncode is None:
                child.kill()
            await child.wait()

    async def ids(self, queue: str, count: int) -> list[str]:
        """Take everything out of a queue, at least `count` messages; tell their request ids in the queue's order."""
        async with self.taking(queue) as taken:
            return await taken.until(lambda ids: len(ids) >= count)

    async def ready(self, queue: str) -> None:
        """Wait for a message to be in a queue, and leave it there."""
        taken = Taken()
        async with await self.amqp.connection.channel() as channel:
            await (await channel.get_queue(queue, ensure=False)).consume(taken.take)
            await taken.until(bool)

    @asynccontextmanager
    async def taking(self, queue: str) -> AsyncIterator["Taken"]:
        """Take messages out of a queue as they come. One channel takes them all: a second would change their order."""
        taken = Taken()
        async with await self.amqp.connection.channel() as channel:
            await (await channel.get_queue(queue, ensure=False)).consume(taken.take, no_ack=True)
            yield taken


class Taken:
    """The ids of requests as they came out of a queue."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self._changed = asyncio.Condition()

    async def take(self, message: AbstractIncomingMessage) -> None:
        header = message.headers.get("x-request-id")
        async with self._changed:
            self.ids.append(str(header or message.message_id))
            self._changed.notify_all()

    async def until(self, holds: Callable[[list[str]], bool]) -> list[str]:
        """Wait until the ids are as wanted."""
        async with asyncio.timeout(WAIT_LIMIT), self._changed:
            await self._changed.wait_for(lambda: holds(self.ids))
        return self.ids


def rows(said: str) -> list[Mapping[str, object]]:
    return [json.loads(line) for line in said.splitlines() if line.startswith("{")]
