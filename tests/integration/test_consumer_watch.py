import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aio_pika
import pytest
from typing_extensions import override

from service.adapters.rabbitmq.consumer import Flow, RabbitConsumer
from service.adapters.rabbitmq.consumer_watch import watch_consumption
from service.adapters.rabbitmq.link import Link, Session
from service.core.facts import ConsumerActive, LinkDown, LinkRole, LinkUp
from service.private_broker import Node
from tests.integration.inbox import Inbox, consuming, declare_requests
from tests.support.broker import Amqp
from tests.support.fakes import GUARD, Changes, RecordingObserver
from tests.support.links import link_to, running
from tests.support.tcp_proxy import TcpProxy, Way

PREFETCH = 2
OFTEN = 0.05


class WatchedConsumer(RabbitConsumer):
    """Counts how often it was looked at: twice for each check."""

    def __init__(self, queue: str, inbox: Inbox, observer: RecordingObserver) -> None:
        super().__init__(queue, PREFETCH, inbox.accept, observer)
        self.looks = 0
        self._looked = Changes()

    @override
    def flow_on(self, session: Session) -> Flow:
        self.looks += 1
        self._looked.happened()
        return super().flow_on(session)

    async def checked(self, times: int) -> None:
        looks = self.looks + 2 * times
        await self._looked.until(lambda: self.looks >= looks)


@asynccontextmanager
async def watched(
    url: str, queue: str, inbox: Inbox, observer: RecordingObserver, *, within: float = GUARD, paused: bool = False
) -> AsyncIterator[tuple[WatchedConsumer, Link]]:
    consumer = WatchedConsumer(queue, inbox, observer)
    if paused:
        await consumer.pause()
    link = link_to(url, observer, consumer.start, role=LinkRole.CONSUME)
    async with running(link), asyncio.timeout(3 * GUARD):
        await link.session()
        watching = asyncio.create_task(watch_consumption(link, consumer, OFTEN, within))
        try:
            yield consumer, link
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)


async def publish(amqp: Amqp, queue: str, count: int) -> None:
    for _ in range(count):
        await amqp.publish(queue, aio_pika.Message(b"m"))


async def cancel_behind_its_back(consumer: RabbitConsumer, link: Link) -> None:
    session = await link.session()
    tag = consumer.flow_on(session).tag
    assert tag is not None
    await (await session.channel.get_underlay_channel()).basic_cancel(tag)


async def test_a_consumer_with_a_full_prefetch_and_more_in_its_queue_is_left_alone(
    broker_url: str, amqp: Amqp, queue: str, inbox: Inbox, observer: RecordingObserver
) -> None:
    await publish(amqp, queue, PREFETCH + 5)
    async with watched(broker_url, queue, inbox, observer) as (consumer, _):
        await inbox.wait_for(PREFETCH)
        await consumer.checked(5)
        assert not observer.of(LinkDown)


async def test_a_paused_consumer_with_a_full_queue_is_left_alone(
    broker_url: str, amqp: Amqp, queue: str, inbox: Inbox, observer: RecordingObserver
) -> None:
    await publish(amqp, queue, 5)
    async with watched(broker_url, queue, inbox, observer, paused=True) as (consumer, _):
        await consumer.checked(5)
        assert not observer.of(LinkDown)


async def test_a_consumer_without_work_beside_a_busy_one_is_left_alone(
    broker_url: str, amqp: Amqp, queue: str, inbox: Inbox, observer: RecordingObserver
) -> None:
    busy = Inbox()
    async with consuming(broker_url, queue, busy, RecordingObserver(), prefetch=50):
        await publish(amqp, queue, 10)
        await busy.wait_for(10)
        async with watched(broker_url, queue, inbox, observer) as (consumer, _):
            await consumer.checked(5)
            assert not observer.of(LinkDown)


async def test_a_steady_flow_is_left_alone(
    broker_url: str, amqp: Amqp, queue: str, inbox: Inbox, observer: RecordingObserver
) -> None:
    async with watched(broker_url, queue, inbox, observer) as (consumer, _):
        for number in range(1, 51):
            await publish(amqp, queue, 1)
            await (await inbox.wait_for(number)).ack()
            if number % 10 == 0:
                await consumer.checked(1)
        assert not observer.of(LinkDown)


async def test_a_consumer_that_the_broker_has_lost_is_made_again(
    broker_url: str, amqp: Amqp, queue: str, inbox: Inbox, observer: RecordingObserver
) -> None:
    async with watched(broker_url, queue, inbox, observer) as (consumer, link):
        await cancel_behind_its_back(consumer, link)
        await observer.wait_for(LinkUp, 2)
        await publish(amqp, queue, 1)
        await inbox.wait_for(1)

    assert [down.reason for down in observer.of(LinkDown)] == ["the broker has lost our consumer"]
    assert [fact.active for fact in observer.of(ConsumerActive)][:3] == [True, False, True]


async def test_a_consumer_that_gets_nothing_while_messages_wait_is_made_again(
    broker_url: str, amqp: Amqp, queue: str, inbox: Inbox, observer: RecordingObserver
) -> None:
    full = Inbox()
    async with (
        consuming(broker_url, queue, full, RecordingObserver(), prefetch=1),
        watched(broker_url, queue, inbox, observer) as (consumer, link),
    ):
        await cancel_behind_its_back(consumer, link)
        await publish(amqp, queue, 3)
        await inbox.wait_for(2)

    assert observer.of(LinkDown)[0].reason == "the broker holds messages back from our consumer"


@pytest.mark.parametrize("paused", [True, False])
async def test_a_queue_that_is_gone_is_noticed_and_one_that_is_back_is_used(
    broker_url: str, amqp: Amqp, queue: str, inbox: Inbox, observer: RecordingObserver, *, paused: bool
) -> None:
    async with watched(broker_url, queue, inbox, observer, paused=paused) as (consumer, _):
        await amqp.channel.queue_delete(queue)
        await observer.wait_for(LinkDown)
        await declare_requests(amqp, queue)
        await observer.until(lambda: isinstance(observer.facts[-1], LinkUp | ConsumerActive))
        await consumer.resume()
        await publish(amqp, queue, 1)
        await inbox.wait_for(1)


@pytest.mark.parametrize("way", Way)
async def test_a_connection_that_loses_all_bytes_of_one_direction_is_given_up(
    proxy: TcpProxy, proxied_url: str, queue: str, inbox: Inbox, observer: RecordingObserver, way: Way
) -> None:
    async with watched(proxied_url, queue, inbox, observer, within=0.4) as (consumer, _):
        await consumer.checked(1)
        proxy.swallow(way)
        await observer.wait_for(LinkUp, 2)

    assert [down.reason for down in observer.of(LinkDown)] == ["the broker did not answer in time"]


async def test_a_connection_that_is_slow_but_answers_in_time_is_left_alone(
    proxy: TcpProxy, proxied_url: str, queue: str, inbox: Inbox, observer: RecordingObserver
) -> None:
    async with watched(proxied_url, queue, inbox, observer, within=2.0) as (consumer, _):
        proxy.delay(0.1)
        await consumer.checked(3)
        assert not observer.of(LinkDown)


WORKING_CHANNELS = "[P || P <- rabbit_channel:list(), rabbit_channel:info(P, [number]) =:= [{number, 1}]]"


async def test_a_channel_that_is_stuck_while_its_connection_works_is_given_up(
    node: Node, inbox: Inbox, observer: RecordingObserver
) -> None:
    async def with_queue(session: Session) -> None:
        await session.channel.declare_queue("stuck", durable=True)
        await consumer.start(session)

    consumer = WatchedConsumer("stuck", inbox, observer)
    link = link_to(node.url, observer, with_queue, role=LinkRole.CONSUME)
    async with running(link), asyncio.timeout(3 * GUARD):
        await link.session()
        watching = asyncio.create_task(watch_consumption(link, consumer, OFTEN, 1.0))
        await consumer.checked(1)
        await node.run_ctl("eval", f"[sys:suspend(P, infinity) || P <- {WORKING_CHANNELS}].")
        try:
            await observer.wait_for(LinkUp, 2, guard=2 * GUARD)
        finally:
            watching.cancel()
            await node.run_ctl("eval", f"[catch sys:resume(P) || P <- {WORKING_CHANNELS}].")

    assert observer.of(LinkDown)[0].reason == "the broker did not answer in time"


async def test_ten_cuts_leave_no_task_of_consumer_and_watch_behind(
    proxy: TcpProxy, proxied_url: str, amqp: Amqp, queue: str, inbox: Inbox, observer: RecordingObserver
) -> None:
    await publish(amqp, queue, 1)
    before = asyncio.all_tasks()
    async with watched(proxied_url, queue, inbox, observer) as (consumer, _):
        for number in range(1, 11):
            await inbox.wait_for(number)
            await consumer.checked(1)
            proxy.cut()
        await (await inbox.wait_for(11)).ack()

    async with asyncio.timeout(GUARD):
        # Closing connections need a few rounds of the loop to end; a task that was left behind would wait for ever.
        await proxy.idle()
        if extra := asyncio.all_tasks() - before:
            await asyncio.wait(extra)
    assert asyncio.all_tasks() == before
