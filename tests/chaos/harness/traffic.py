"""The producer's side: requests go out until they are confirmed, results come in until each request has one."""

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from uuid import uuid4

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

from service.adapters.rabbitmq.connect import LinkOptions, open_connection
from service.adapters.rabbitmq.errors import LinkLost, link_errors
from service.core.completion import COMPLETION_TYPE
from tests.chaos.harness.verdict import Told
from tests.support.links import options_for

MODEL = "wan2.2-t2v-plus"
_RECONNECT = 0.2
_BATCH = 100


@dataclass(frozen=True, slots=True)
class Request:
    """A message to publish; `name` is its message id."""

    name: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


def request(name: str, prompt: str = "a cat on a surfboard") -> Request:
    return Request(name, json.dumps({"model": MODEL, "prompt": prompt}).encode())


def requests(count: int, prompt: str = "a cat on a surfboard", first: int = 0) -> list[Request]:
    """Make requests with names of their own, `r0` and so on."""
    return [request(f"r{number}", prompt) for number in range(first, first + count)]


class Traffic:
    """Publishes requests and hears results, over connections that are made again when they are lost."""

    def __init__(self, options: LinkOptions, queue: str, replies: str) -> None:
        self._options = options
        self._queue = queue
        self._replies = replies
        self._asked: dict[str, Request] = {}
        self._told: defaultdict[str, dict[str, Told]] = defaultdict(dict)
        self._completed: defaultdict[str, set[str]] = defaultdict(set)
        self._heard = asyncio.Event()

    @property
    def completed(self) -> Mapping[str, Collection[str]]:
        """How each task ended, as far as that was told."""
        return self._completed

    @property
    def asked(self) -> Collection[str]:
        """The ids of all requests that were published."""
        return self._asked.keys()

    @property
    def told(self) -> Mapping[str, Sequence[Told]]:
        """What came back for each request, oldest first; a result that the broker gave out twice counts once."""
        return {name: tuple(results.values()) for name, results in self._told.items()}

    @property
    def answered(self) -> int:
        """How many requests have a result."""
        return len(self._told)

    async def publish(self, requests: Iterable[Request]) -> None:
        """Publish until the broker has confirmed each; one whose confirm was lost goes out again."""
        waiting = list(requests)
        self._asked.update({each.name: each for each in waiting})
        while waiting:
            with suppress(LinkLost, aio_pika.exceptions.DeliveryError):
                async with open_connection(self._options, "chaos producer") as connection:
                    channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
                    while waiting:
                        with link_errors():
                            await asyncio.gather(*(self._send(channel, each) for each in waiting[:_BATCH]))
                        del waiting[:_BATCH]
            if waiting:
                await asyncio.sleep(_RECONNECT)

    async def until_answered(self, count: int, silence: float) -> bool:
        """Wait until `count` requests have a result; give up, and tell so, where none comes for `silence` seconds."""
        return await self._until(lambda: len(self._told) >= count, silence)

    async def until_told(self, name: str, silence: float) -> bool:
        """Wait until this request has a result, however many come before it; give up likewise."""
        return await self._until(lambda: name in self._told, silence)

    async def until_completed(self, task_ids: Collection[str], silence: float) -> bool:
        """Wait until the end of each of these tasks was told; give up likewise."""
        return await self._until(lambda: self._completed.keys() >= set(task_ids), silence)

    async def all_answered(self, silence: float) -> bool:
        """Wait until every request has a result; give up likewise. The verdict names those that lack."""
        return await self.until_answered(len(self._asked), silence)

    async def _until(self, holds: Callable[[], bool], silence: float) -> bool:
        # Not by the time that all of it takes: that hangs on the machine, and says nothing of the worker.
        while not holds():
            try:
                async with asyncio.timeout(silence):
                    await self._heard.wait()
            except TimeoutError:
                return False
        return True

    async def listen(self) -> None:
        """Hear results until cancelled."""
        while True:
            with suppress(LinkLost):
                await self._listen_once()
            await asyncio.sleep(_RECONNECT)

    async def _listen_once(self) -> None:
        lost = asyncio.Event()
        async with open_connection(self._options, "chaos collector") as connection:
            connection.close_callbacks.add(lambda *_: lost.set())
            with link_errors():
                channel = await connection.channel()
                await channel.set_qos(prefetch_count=_BATCH)
                queue = await channel.get_queue(self._replies, ensure=False)
                await queue.consume(self._hear)
            await lost.wait()

    async def _send(self, channel: AbstractChannel, request: Request) -> None:
        message = aio_pika.Message(
            request.body,
            message_id=request.name,
            correlation_id=request.name,
            reply_to=self._replies,
            content_type="application/json",
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            headers=dict(request.headers),
        )
        await channel.default_exchange.publish(message, self._queue, mandatory=True, timeout=30)

    async def _hear(self, message: AbstractIncomingMessage) -> None:
        body = json.loads(message.body)
        if message.type == COMPLETION_TYPE:
            self._completed[body["task_id"]].add(body["status"])
        else:
            name, told = read_result(body)
            self._told[name][message.message_id or uuid4().hex] = told
        heard, self._heard = self._heard, asyncio.Event()
        heard.set()
        with suppress(aio_pika.exceptions.AMQPError, ConnectionError, RuntimeError):
            # On a connection that was lost meanwhile the result comes again, under the same message id.
            await message.ack()


def read_result(body: Mapping[str, object]) -> tuple[str, Told]:
    """Take the request id and what is said of it from the body of a result."""
    error = body.get("error")
    task_id = body.get("task_id")
    code = error.get("code") if isinstance(error, dict) else None
    return str(body["request_id"]), Told(str(body["status"]), str(task_id) if task_id else None, code)


@asynccontextmanager
async def open_traffic(url: str, queue: str, replies: str) -> AsyncIterator[Traffic]:
    """Begin to listen; both queues must be there."""
    traffic = Traffic(options_for(url), queue, replies)
    listening = asyncio.create_task(traffic.listen())
    try:
        yield traffic
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
