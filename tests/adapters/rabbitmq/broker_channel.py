"""A channel whose broker answers when the test lets it: as soon as asked, some turns of the loop later, or never."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from itertools import count
from typing import Any, cast

from aio_pika.abc import AbstractChannel as AioPikaChannel
from aio_pika.abc import AbstractConnection
from aiormq import spec
from aiormq.abc import AbstractChannel, DeliveredMessage
from pamqp.header import ContentHeader

from service.adapters.rabbitmq.link import Session

Receive = Callable[[DeliveredMessage], Awaitable[None]]
_numbers = count(1)


class BrokerChannel:
    """The broker's end of one channel: who consumes there, what was settled.

    `turns` says for each question after how many turns of the loop the answer comes; None is never. Without any more
    of them, answers come at once.
    """

    def __init__(self, turns: Iterable[int | None] = ()) -> None:
        self._turns = iter(turns)
        self.consumers: dict[str, Receive] = {}
        self.on_consumer_cancel_callbacks: set[Callable[[object], None]] = set()
        self.settled: list[tuple[str, int]] = []
        self.ready: list[bytes] = []
        self.closed = False

    async def _answer(self) -> None:
        turns = next(self._turns, 0)
        if turns is None:
            await asyncio.get_running_loop().create_future()
        for _ in range(turns or 0):
            await asyncio.sleep(0)  # one turn of the event loop, no time

    async def basic_qos(self, *, prefetch_count: int) -> None:
        assert prefetch_count > 0
        await self._answer()

    async def basic_consume(self, _queue: str, receive: Receive) -> spec.Basic.ConsumeOk:
        tag = f"tag-{next(_numbers)}"
        if not self.closed:
            self.consumers[tag] = receive
        await self._answer()
        return spec.Basic.ConsumeOk(consumer_tag=tag)

    async def basic_cancel(self, tag: str) -> None:
        self.consumers.pop(tag, None)
        await self._answer()

    async def basic_get(self, _queue: str) -> DeliveredMessage:
        await self._answer()
        if not self.ready:
            return DeliveredMessage(spec.Basic.GetEmpty(), ContentHeader(), b"", cast("AbstractChannel", self))
        tag = next(_numbers)
        return self.message(self.ready.pop(0), spec.Basic.GetOk(delivery_tag=tag))

    async def basic_ack(self, tag: int, *, wait: bool) -> None:
        self.settled.append(("ack", tag))

    async def basic_reject(self, tag: int, *, requeue: bool, wait: bool) -> None:
        assert requeue
        self.settled.append(("hand back", tag))

    def message(self, body: bytes, delivery: Any) -> DeliveredMessage:  # noqa: ANN401 - the library's union of frames
        header = ContentHeader(properties=spec.Basic.Properties(message_id="r"))
        return DeliveredMessage(delivery, header, body, cast("AbstractChannel", self))

    async def deliver(self, receive: Receive | None = None) -> None:
        """Let a message arrive at the consumer, or at one that was there earlier."""
        (receive,) = [receive] if receive else self.consumers.values()
        await receive(self.message(b"m", spec.Basic.Deliver(delivery_tag=next(_numbers))))

    async def get_underlay_channel(self) -> "BrokerChannel":
        """Stand in for the library's upper channel too."""
        return self

    def session(self) -> Session:
        """Begin a session on this channel; with its end the broker forgets the consumers."""
        unused = cast("AbstractConnection", None)
        return Session(unused, cast("AioPikaChannel", self), 131_072, on_end=self._close)

    def _close(self, _: Session) -> None:
        self.closed = True
        self.consumers.clear()
