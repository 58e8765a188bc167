import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import aio_pika
import pytest
from aiormq import spec
from typing_extensions import override

from service.adapters.rabbitmq.consumer import RabbitConsumer
from service.adapters.rabbitmq.link import Session
from service.core.delivery import Delivery
from service.core.facts import ConsumerActive, LinkDown, LinkUp
from tests.integration.inbox import Inbox, consuming, declare_requests, round_trip
from tests.support.broker import Amqp
from tests.support.fakes import GUARD, RecordingObserver
from tests.support.links import link_to, running
from tests.support.tcp_proxy import TcpProxy


async def _publish(amqp: Amqp, queue: str, *bodies: bytes) -> None:
    for body in bodies:
        await amqp.publish(queue, aio_pika.Message(body))


async def test_no_more_than_the_prefetch_is_ever_in_hand(
    broker_url: str, amqp: Amqp, queue: str, inbox: Inbox, observer: RecordingObserver
) -> None:
    await _publish(amqp, queue, *(b"%d" % number for number in range(20)))
    async with consuming(broker_url, queue, inbox, observer, prefetch=5) as (_, link):
        for settled in range(16):
            await inbox.wait_for(settled + 5)
            await round_trip(link)
            assert len(inbox.messages) == settled + 5
            await inbox.messages[settled].ack()
        for incoming in inbox.messages[16:]:
            await incoming.ack()
        await round_trip(link)

    assert [incoming.delivery.body for incoming in inbox.messages] == [b"%d" % number for number in range(20)]
    assert await amqp.count(queue) == 0


@pytest.mark.pain(16)
async def test_the_prefetch_holds_after_a_reconnect(
    proxy: TcpProxy, proxied_url: str, amqp: Amqp, queue: str, inbox: Inbox, observer: RecordingObserver
) -> None:
    await _publish(amqp, queue, *[b"m"] * 20)
    async with consuming(proxied_url, queue, inbox, observer, prefetch=3) as (_, link):
        await inbox.wait_for(3)
        proxy.cut()
        await observer.wait_for(LinkUp, 2)

        await inbox.wait_for(6)
        await round_trip(link)
        assert len(inbox.messages) == 6


async def test_a_cancelled_consumer_comes_back_when_its_queue_does(
    broker_url: str, amqp: Amqp, queue: str, inbox: Inbox, observer: RecordingObserver
) -> None:
    async with consuming(broker_url, queue, inbox, observer):
        await observer.wait_for(ConsumerActive)

        await amqp.channel.queue_delete(queue)
        await observer.wait_for(ConsumerActive, 2)
        lost, missing, *_ = await observer.wait_for(LinkDown, 2)
        await declare_requests(amqp, queue)
        await observer.wait_for(ConsumerActive, 3)
        await _publish(amqp, queue, b"flows")
        incoming = await inbox.wait_for(1)

        assert incoming.delivery.body == b"flows"
        assert [fact.active for fact in observer.of(ConsumerActive)[:3]] == [True, False, True]
        assert "the broker cancelled the consumer" in lost.reason
        assert queue in missing.reason


@pytest.mark.pain(6)
@pytest.mark.parametrize("settle", ["ack", "hand_back"])
async def test_a_delivery_of_a_lost_channel_settles_nothing_of_the_next(
    proxy: TcpProxy,
    proxied_url: str,
    amqp: Amqp,
    queue: str,
    inbox: Inbox,
    observer: RecordingObserver,
    settle: str,
) -> None:
    await _publish(amqp, queue, b"m")
    async with consuming(proxied_url, queue, inbox, observer) as (_, link):
        old = await inbox.wait_for(1)
        proxy.cut()
        new = await inbox.wait_for(2)
        assert new.delivery.redelivered

        # Both have delivery tag 1, each on its own channel.
        await getattr(old, settle)()
        await round_trip(link)
        assert len(inbox.messages) == 2
        await new.ack()
        await round_trip(link)

    assert await amqp.count(queue) == 0


async def test_a_stopped_consumer_takes_nothing_more_and_can_still_ack(
    broker_url: str, amqp: Amqp, queue: str, inbox: Inbox, observer: RecordingObserver
) -> None:
    await _publish(amqp, queue, b"in hand")
    async with consuming(broker_url, queue, inbox, observer) as (consumer, link):
        incoming = await inbox.wait_for(1)
        await consumer.stop()
        await _publish(amqp, queue, b"for others")
        await round_trip(link)
        await incoming.ack()
        await round_trip(link)
        assert [fact.active for fact in observer.of(ConsumerActive)] == [True, False]
        assert not observer.of(LinkDown)

    assert len(inbox.messages) == 1
    last = await amqp.receive(queue)
    assert (last.body, last.redelivered) == (b"for others", False)


async def test_a_stopped_consumer_does_not_start_on_a_new_session(
    proxy: TcpProxy, proxied_url: str, amqp: Amqp, queue: str, inbox: Inbox, observer: RecordingObserver
) -> None:
    async with consuming(proxied_url, queue, inbox, observer) as (consumer, link):
        await observer.wait_for(ConsumerActive)
        await consumer.stop()
        await consumer.stop()
        proxy.cut()
        await observer.wait_for(LinkUp, 2)
        await _publish(amqp, queue, b"m")
        await round_trip(link)

    assert [fact.active for fact in observer.of(ConsumerActive)] == [True, False]
    assert not inbox.messages


@pytest.mark.parametrize("rounds", range(8))
async def test_a_consumer_that_is_stopped_while_it_starts_does_not_consume(
    broker_url: str, amqp: Amqp, queue: str, inbox: Inbox, observer: RecordingObserver, rounds: int
) -> None:
    consumer = RabbitConsumer(queue, 5, inbox.accept, observer)

    async def start_and_stop(session: Session) -> None:
        starting = asyncio.ensure_future(consumer.start(session))
        for _ in range(rounds):
            await asyncio.sleep(0)  # one round of the event loop, no time
        await consumer.stop()
        await starting

    async with running(link_to(broker_url, observer, start_and_stop)) as link, asyncio.timeout(GUARD):
        await link.session()
        declared = await amqp.channel.declare_queue(queue, passive=True)

    assert declared.declaration_result.consumer_count == 0
    assert not any(fact.active for fact in observer.of(ConsumerActive)[-1:])


class NotUtf8(str):
    """A text that goes out as bytes that are no UTF-8."""

    __slots__ = ()

    @override
    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        return b"\xff\xfe"


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HEADERS: dict[str, Any] = {
    "table": {"inner": {"deep": [1, "two", None]}},
    "array": [True, 2.5, {"x": None}, []],
    "none": None,
    "bytes": bytearray(b"\xff\xfe"),
    "time": _EPOCH,
    "decimal": Decimal("1.25"),
    "big": 2**40,
    "": "no name",
}

ODD: list[tuple[dict[str, Any], bytes, Callable[[Delivery], bool]]] = [
    ({"priority": 255, "message_type": "\N{SNOWMAN}"}, b"m", lambda delivery: delivery.body == b"m"),
    ({"headers": _HEADERS}, b"m", lambda delivery: dict(delivery.headers) == _HEADERS),
    ({"headers": {"text": NotUtf8()}}, b"m", lambda delivery: delivery.headers == {"text": b"\xff\xfe"}),
    ({"headers": {}}, b"m", lambda delivery: delivery.headers == {}),
    ({"expiration": "60000"}, b"m", lambda delivery: delivery.expiration == timedelta(minutes=1)),
    ({"timestamp": _EPOCH}, b"m", lambda delivery: delivery.timestamp == _EPOCH),
    ({"content_type": "", "message_id": ""}, b"m", lambda delivery: delivery.content_type is None),
    ({"message_id": "m" * 255, "correlation_id": "\N{SNOWMAN}" * 85}, b"m", lambda delivery: True),
    ({}, b"\xff\xfe\x00", lambda delivery: delivery.body == b"\xff\xfe\x00"),
    ({}, b"", lambda delivery: delivery.body == b""),
    ({}, b"x" * 1_000_000, lambda delivery: len(delivery.body) == 1_000_000),
]


@pytest.mark.parametrize(
    ("properties", "body", "as_sent"), ODD, ids=lambda value: "" if callable(value) else str(value)[:40]
)
async def test_an_odd_message_reaches_accept_and_can_be_settled(
    broker_url: str,
    amqp: Amqp,
    queue: str,
    inbox: Inbox,
    observer: RecordingObserver,
    properties: dict[str, Any],
    body: bytes,
    as_sent: Callable[[Delivery], bool],
) -> None:
    await _publish_raw(amqp, queue, body, properties)
    async with consuming(broker_url, queue, inbox, observer) as (_, link):
        incoming = await inbox.wait_for(1)
        assert as_sent(incoming.delivery), incoming.delivery
        await incoming.ack()
        await round_trip(link)
        assert not observer.of(LinkDown)

    assert await amqp.count(queue) == 0


async def test_an_expiration_of_zero_reaches_a_consumer_that_waits(
    broker_url: str, amqp: Amqp, queue: str, inbox: Inbox, observer: RecordingObserver
) -> None:
    async with consuming(broker_url, queue, inbox, observer):
        await observer.wait_for(ConsumerActive)
        await _publish_raw(amqp, queue, b"m", {"expiration": "0"})

        incoming = await inbox.wait_for(1)

        assert incoming.delivery.expiration == timedelta(0)
        await incoming.ack()


async def _publish_raw(amqp: Amqp, queue: str, body: bytes, properties: dict[str, Any]) -> None:
    wire = spec.Basic.Properties()
    for name, value in properties.items():
        # Past the checks of the constructor: other libraries have none.
        setattr(wire, name, value)
    underlay = await amqp.channel.get_underlay_channel()
    await underlay.basic_publish(body, routing_key=queue, properties=wire, mandatory=True)
