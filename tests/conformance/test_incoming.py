"""What port `Incoming` promises, shown for the fake that other tests rely on and for RabbitMQ."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from enum import StrEnum
from typing import Protocol

import aio_pika
import pytest
from aiormq import spec
from aiormq.abc import AbstractChannel

from service.adapters.rabbitmq.incoming import RabbitIncoming
from service.adapters.rabbitmq.settlements import Settlements
from service.core.delivery import Delivery
from service.core.ports import Incoming
from tests.support.broker import Amqp, amqp_client
from tests.support.fakes import GUARD, FakeIncoming, Verdict

BODY = b"\xff any bytes"
MESSAGE = Delivery(
    BODY, message_id="r", correlation_id="c", reply_to="a", delivery_count=0, type="t", app_id="p", priority=3
)


class Fate(StrEnum):
    """Where a message is, as the broker sees it."""

    GONE = "gone"
    READY = "ready"
    UNSETTLED = "unsettled"


class Stage(Protocol):
    """Delivers one message and tells what became of it."""

    async def deliver(self) -> Incoming: ...

    async def lose_channel(self) -> None: ...

    async def lose_connection(self) -> None: ...

    async def fate(self) -> Fate: ...


class FakeStage:
    def __init__(self) -> None:
        self._incoming = FakeIncoming(MESSAGE)

    async def deliver(self) -> Incoming:
        return self._incoming

    async def lose_channel(self) -> None:
        self._incoming.lose()

    async def lose_connection(self) -> None:
        self._incoming.lose()

    async def fate(self) -> Fate:
        if self._incoming.lost:
            return Fate.READY
        match self._incoming.verdict:
            case Verdict.ACKED:
                return Fate.GONE
            case Verdict.HANDED_BACK:
                return Fate.READY
            case None:
                return Fate.UNSETTLED


class RabbitStage:
    def __init__(self, amqp: Amqp, url: str, stack: AsyncExitStack) -> None:
        self._amqp = amqp
        self._url = url
        self._stack = stack
        self._queue = ""
        self._ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def deliver(self) -> Incoming:
        declared = await self._amqp.channel.declare_queue(auto_delete=False, exclusive=False, durable=False)
        self._queue = declared.name
        self._stack.push_async_callback(self._amqp.channel.queue_delete, self._queue)
        await self._amqp.publish(
            self._queue,
            aio_pika.Message(BODY, message_id="r", correlation_id="c", reply_to="a", type="t", app_id="p", priority=3),
        )
        self._connection = await self._stack.enter_async_context(await aio_pika.connect(self._url))
        self._channel = await self._connection.channel()
        self._underlay: AbstractChannel = await self._channel.get_underlay_channel()
        message = await self._underlay.basic_get(self._queue)
        return RabbitIncoming(message, Settlements(self._underlay, self._ended))

    async def lose_channel(self) -> None:
        await self._channel.close()

    async def lose_connection(self) -> None:
        await self._connection.close()

    async def fate(self) -> Fate:
        if self._underlay.is_closed:
            # The broker puts back what was unsettled after it has confirmed the close.
            message = await self._amqp.receive(self._queue)
            assert message.redelivered
            return Fate.READY
        # Frames of one channel are handled in order, so a settle that was sent has been carried out.
        got = await self._underlay.basic_get(self._queue)
        if isinstance(got.delivery, spec.Basic.GetOk):
            assert got.redelivered
            return Fate.READY
        await self._channel.close()
        return Fate.UNSETTLED if await self._amqp.count(self._queue) else Fate.GONE


@pytest.fixture(params=["fake", "rabbitmq"])
def url(request: pytest.FixtureRequest, broker_url: str) -> str | None:
    """Tell where the broker is; None for the fake, which has none."""
    return broker_url if request.param == "rabbitmq" else None


@pytest.fixture
async def stage(url: str | None) -> AsyncIterator[Stage]:
    if url is None:
        yield FakeStage()
        return
    async with amqp_client(url) as amqp, AsyncExitStack() as stack:
        yield RabbitStage(amqp, url, stack)


async def test_the_message_can_be_read(stage: Stage) -> None:
    incoming = await stage.deliver()

    assert incoming.delivery == MESSAGE


async def test_an_acked_message_is_gone(stage: Stage) -> None:
    incoming = await stage.deliver()

    await incoming.ack()

    assert await stage.fate() is Fate.GONE


async def test_a_message_that_is_handed_back_is_ready_again(stage: Stage) -> None:
    incoming = await stage.deliver()

    await incoming.hand_back()

    assert await stage.fate() is Fate.READY


async def test_an_unsettled_message_stays_in_hand(stage: Stage) -> None:
    await stage.deliver()

    assert await stage.fate() is Fate.UNSETTLED


@pytest.mark.parametrize("first", ["ack", "hand_back"])
@pytest.mark.parametrize("second", ["ack", "hand_back"])
async def test_a_second_settle_raises(stage: Stage, first: str, second: str) -> None:
    incoming = await stage.deliver()
    await getattr(incoming, first)()

    with pytest.raises(RuntimeError, match="settled before"):
        await getattr(incoming, second)()

    assert await stage.fate() is (Fate.GONE if first == "ack" else Fate.READY)


@pytest.mark.pain(2)
@pytest.mark.parametrize("settle", ["ack", "hand_back"])
@pytest.mark.parametrize("lost", ["lose_channel", "lose_connection"])
async def test_settling_after_a_loss_is_harmless_and_the_message_comes_again(
    stage: Stage, lost: str, settle: str
) -> None:
    incoming = await stage.deliver()
    await getattr(stage, lost)()

    async with asyncio.timeout(GUARD):
        await getattr(incoming, settle)()

    assert await stage.fate() is Fate.READY
