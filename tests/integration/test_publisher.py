import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count

import aio_pika
import pytest
from aio_pika.abc import AbstractIncomingMessage, HeadersType

from service.adapters.rabbitmq.declare import declare
from service.adapters.rabbitmq.direct_replies import DirectReplies
from service.adapters.rabbitmq.link import Session
from service.adapters.rabbitmq.publisher import RabbitPublisher
from service.core.facts import LinkDown, LinkUp, PublishAttempt, Published
from service.core.outgoing import Outgoing, PublishVerdict, Route
from service.core.topology import Topology
from tests.support.broker import Amqp
from tests.support.fakes import GUARD, FakeClock, RecordingObserver
from tests.support.links import link_to, no_set_up, options_for, running
from tests.support.tcp_proxy import TcpProxy

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
async def queue(amqp: Amqp) -> str:
    # Exclusive: the broker deletes it with the test's connection.
    return (await amqp.channel.declare_queue(exclusive=True)).name


@pytest.fixture
def topology(prefix: str) -> Topology:
    return Topology(prefix)


@asynccontextmanager
async def publishing(
    url: str,
    observer: RecordingObserver,
    topology: Topology | None = None,
    *,
    confirm_within: float = 5.0,
    heartbeat: int = 10,
) -> AsyncIterator[RabbitPublisher]:
    async def set_up(session: Session) -> None:
        await (no_set_up(session) if topology is None else declare(session.channel, topology))

    numbers = count(1)
    link = link_to(url, observer, set_up, heartbeat=heartbeat)
    async with running(link), DirectReplies(options_for(url)) as direct, asyncio.timeout(3 * GUARD):
        await link.session()
        yield RabbitPublisher(link, direct, confirm_within, FakeClock(), observer, lambda: f"id-{next(numbers)}")


def _message(queue: str, body: bytes = b"{}", *, exchange: str = "") -> Outgoing:
    return Outgoing(Route(exchange, queue), body, "application/json", "c-1", NOW)


def _attempts(observer: RecordingObserver) -> list[PublishAttempt]:
    return [fact.attempt for fact in observer.of(Published)]


async def test_a_published_message_has_every_property(
    broker_url: str, amqp: Amqp, queue: str, observer: RecordingObserver
) -> None:
    message = replace(
        _message(queue, b"body"), type="videogen.result.v1", content_encoding="identity", headers={"a": "b"}
    )
    async with publishing(broker_url, observer) as publisher:
        await publisher.publish(message)

    received = await amqp.receive(queue)
    assert received.body == b"body"
    assert received.delivery_mode == aio_pika.DeliveryMode.PERSISTENT
    assert received.app_id == "videogen-worker"
    assert received.type == "videogen.result.v1"
    assert received.message_id == "id-1"
    assert received.timestamp == NOW
    assert received.content_type == "application/json"
    assert received.content_encoding == "identity"
    assert received.correlation_id == "c-1"
    assert received.headers == {"a": "b"}


async def test_a_request_that_moves_keeps_its_own_properties(
    broker_url: str, amqp: Amqp, queue: str, observer: RecordingObserver
) -> None:
    moved = replace(_message(queue), message_id="r-1", app_id="shop", reply_to="answers", priority=7)
    async with publishing(broker_url, observer) as publisher:
        await publisher.keep(moved)

    received = await amqp.receive(queue)
    assert received.message_id == "r-1"
    assert received.app_id == "shop"
    assert received.reply_to == "answers"
    assert received.priority == 7


async def test_a_request_that_moves_gets_no_property_that_it_did_not_have(
    broker_url: str, amqp: Amqp, queue: str, observer: RecordingObserver
) -> None:
    async with publishing(broker_url, observer) as publisher:
        await publisher.keep(replace(_message(queue), message_id="r-1", timestamp=None))

    received = await amqp.receive(queue)
    assert received.app_id is None
    assert received.reply_to is None
    assert received.timestamp is None


async def test_a_request_that_moves_can_still_be_answered_by_direct_reply(
    broker_url: str, amqp: Amqp, queue: str, observer: RecordingObserver
) -> None:
    async with publishing(broker_url, observer) as publisher, _requester(amqp, queue) as (address, replies):
        await publisher.keep(replace(_message(queue), message_id="r-1", reply_to=address))
        moved = await amqp.receive(queue)
        assert moved.reply_to == address

        assert await publisher.publish(_message(address, b"answer")) is PublishVerdict.CONFIRMED
        assert (await replies.get()).body == b"answer"
    assert not observer.of(LinkDown)


async def test_an_address_that_the_broker_refuses_from_others_is_left_out(
    broker_url: str, amqp: Amqp, queue: str, observer: RecordingObserver
) -> None:
    async with publishing(broker_url, observer) as publisher:
        await publisher.keep(replace(_message(queue), message_id="r-1", reply_to="amq.rabbitmq.reply-to"))

    assert (await amqp.receive(queue)).reply_to is None
    assert not observer.of(LinkDown)


@pytest.mark.pain(9)
async def test_each_publish_has_an_id_of_its_own(
    broker_url: str, amqp: Amqp, queue: str, observer: RecordingObserver
) -> None:
    async with publishing(broker_url, observer) as publisher:
        for _ in range(3):
            await publisher.publish(_message(queue))

    assert [(await amqp.receive(queue)).message_id for _ in range(3)] == ["id-1", "id-2", "id-3"]


async def test_a_message_to_a_missing_queue_is_returned_and_disturbs_nothing(
    broker_url: str, amqp: Amqp, queue: str, observer: RecordingObserver
) -> None:
    async with publishing(broker_url, observer) as publisher:
        assert await publisher.publish(_message("no-such-queue")) is PublishVerdict.RETURNED
        assert await publisher.publish(_message(queue)) is PublishVerdict.CONFIRMED

    assert _attempts(observer) == [PublishAttempt.RETURNED, PublishAttempt.CONFIRMED]
    assert not observer.of(LinkDown)


@pytest.mark.pain(9)
async def test_fifty_publishes_in_flight_get_each_their_own_verdict(
    broker_url: str, amqp: Amqp, queue: str, observer: RecordingObserver
) -> None:
    async with publishing(broker_url, observer) as publisher:
        verdicts = await asyncio.gather(
            *(publisher.publish(_message("no-such-queue" if number % 2 else queue)) for number in range(50))
        )

    assert verdicts == [PublishVerdict.CONFIRMED, PublishVerdict.RETURNED] * 25
    assert await amqp.count(queue) == 25
    assert not observer.of(LinkDown)


async def test_a_missing_exchange_closes_the_channel_and_is_declared_again(
    broker_url: str, amqp: Amqp, topology: Topology, observer: RecordingObserver
) -> None:
    async with publishing(broker_url, observer, topology) as publisher:
        await amqp.channel.exchange_delete(topology.exchange)
        message = _message("result.submitted", exchange=topology.exchange)

        assert await publisher.publish(message) is PublishVerdict.CONFIRMED

    assert _attempts(observer) == [PublishAttempt.LOST, PublishAttempt.CONFIRMED]
    (down,) = observer.of(LinkDown)
    assert topology.exchange in down.reason
    assert await amqp.count(topology.results) == 1


async def test_a_publish_that_was_cut_is_made_again(
    proxy: TcpProxy, proxied_url: str, amqp: Amqp, queue: str, observer: RecordingObserver
) -> None:
    async with publishing(proxied_url, observer) as publisher:
        proxy.freeze()
        messages = [asyncio.ensure_future(publisher.publish(_message(queue))) for _ in range(10)]
        await asyncio.sleep(0)  # one round of the event loop: the publishes are under way on the frozen connection
        proxy.cut()
        proxy.thaw()

        assert await asyncio.gather(*messages) == [PublishVerdict.CONFIRMED] * 10

    assert _attempts(observer) == [PublishAttempt.LOST] * 10 + [PublishAttempt.CONFIRMED] * 10
    assert await amqp.count(queue) >= 10


async def test_a_frozen_link_is_given_up_after_its_heartbeats(
    proxy: TcpProxy, proxied_url: str, amqp: Amqp, queue: str, observer: RecordingObserver
) -> None:
    async with publishing(proxied_url, observer, heartbeat=1, confirm_within=60.0) as publisher:
        proxy.freeze()
        message = asyncio.ensure_future(publisher.publish(_message(queue)))
        await observer.wait_for(LinkDown, guard=2 * GUARD)
        proxy.thaw()

        assert await message is PublishVerdict.CONFIRMED
        await observer.wait_for(LinkUp, 2)

    assert await amqp.count(queue) >= 1


async def test_a_confirm_that_does_not_come_in_time_ends_the_session(
    proxy: TcpProxy, proxied_url: str, amqp: Amqp, queue: str, observer: RecordingObserver
) -> None:
    async with publishing(proxied_url, observer, confirm_within=0.2) as publisher:
        proxy.freeze()
        message = asyncio.ensure_future(publisher.publish(_message(queue)))
        await observer.wait_for(Published)
        await observer.wait_for(LinkDown)
        proxy.thaw()

        assert await message is PublishVerdict.CONFIRMED

    attempts = _attempts(observer)
    assert attempts[0] is PublishAttempt.TIMEOUT
    assert attempts[-1] is PublishAttempt.CONFIRMED


@asynccontextmanager
async def _requester(amqp: Amqp, queue: str) -> AsyncIterator[tuple[str, "asyncio.Queue[AbstractIncomingMessage]"]]:
    """Ask over direct reply-to; give the address that a worker sees, and what comes back."""
    replies: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
    async with await amqp.connection.channel() as channel:
        source = await channel.get_queue("amq.rabbitmq.reply-to", ensure=False)
        await source.consume(replies.put, no_ack=True)
        await channel.default_exchange.publish(aio_pika.Message(b"ask", reply_to="amq.rabbitmq.reply-to"), queue)
        address = (await amqp.receive(queue)).reply_to
        assert address is not None
        yield address, replies


async def test_a_direct_reply_reaches_its_requester_once(
    broker_url: str, amqp: Amqp, queue: str, observer: RecordingObserver
) -> None:
    async with publishing(broker_url, observer) as publisher, _requester(amqp, queue) as (address, replies):
        assert await publisher.publish(_message(address, b"answer")) is PublishVerdict.CONFIRMED

        assert (await replies.get()).body == b"answer"
        assert replies.empty()
    assert not observer.of(LinkDown)


async def test_a_direct_reply_to_a_requester_that_left_is_returned(
    broker_url: str, amqp: Amqp, queue: str, observer: RecordingObserver
) -> None:
    async with _requester(amqp, queue) as (address, _):
        pass
    async with publishing(broker_url, observer) as publisher:
        assert await publisher.publish(_message(address)) is PublishVerdict.RETURNED
        assert await publisher.publish(_message(queue)) is PublishVerdict.CONFIRMED
    assert not observer.of(LinkDown)


async def test_a_full_reply_queue_is_tried_a_few_times(
    broker_url: str, amqp: Amqp, observer: RecordingObserver
) -> None:
    full = await _bounded_queue(amqp)
    async with publishing(broker_url, observer) as publisher:
        assert await publisher.publish(_message(full)) is PublishVerdict.CONFIRMED
        assert await publisher.publish(_message(full)) is PublishVerdict.NACKED

    assert _attempts(observer) == [PublishAttempt.CONFIRMED] + [PublishAttempt.NACKED] * 4
    assert not observer.of(LinkDown)


async def test_what_must_be_kept_waits_until_its_queue_has_room(
    broker_url: str, amqp: Amqp, observer: RecordingObserver
) -> None:
    full = await _bounded_queue(amqp)
    async with publishing(broker_url, observer) as publisher:
        await publisher.keep(_message(full, b"first"))
        keeping = asyncio.ensure_future(publisher.keep(_message(full, b"second")))
        await observer.until(lambda: _attempts(observer)[-1] is PublishAttempt.NACKED)
        assert (await amqp.receive(full)).body == b"first"

        await keeping

    assert (await amqp.receive(full)).body == b"second"


async def test_what_may_be_refused_is_tried_a_few_times(
    broker_url: str, amqp: Amqp, observer: RecordingObserver
) -> None:
    full = await _bounded_queue(amqp)
    async with publishing(broker_url, observer) as publisher:
        assert await publisher.try_keep(_message(full, b"first"))
        assert not await publisher.try_keep(_message(full, b"second"))

    assert _attempts(observer) == [PublishAttempt.CONFIRMED] + [PublishAttempt.NACKED] * 4
    assert (await amqp.receive(full)).body == b"first"
    assert not observer.of(LinkDown)


async def _bounded_queue(amqp: Amqp) -> str:
    arguments: HeadersType = {"x-max-length": 1, "x-overflow": "reject-publish"}
    return (await amqp.channel.declare_queue(exclusive=True, arguments=arguments)).name


@pytest.mark.parametrize("method", ["keep", "try_keep"])
async def test_what_must_be_kept_has_its_deleted_queue_declared_again(
    broker_url: str, amqp: Amqp, topology: Topology, observer: RecordingObserver, method: str
) -> None:
    async with publishing(broker_url, observer, topology) as publisher:
        await amqp.channel.queue_delete(topology.undelivered)

        assert await getattr(publisher, method)(_message(topology.undelivered, b"paid")) in (None, True)

    assert (await amqp.receive(topology.undelivered)).body == b"paid"
    assert [down.reason for down in observer.of(LinkDown)] == [f"the queue '{topology.undelivered}' is gone"]


async def test_headers_of_any_kind_can_be_passed_on(
    broker_url: str, amqp: Amqp, queue: str, observer: RecordingObserver
) -> None:
    headers: dict[str, object] = {
        "table": {"inner": {"deep": [1, "two", None, b"\xff"]}},
        "bytes": b"\xff\xfe",
        "array": [True, {"x": None}],
        "time": NOW,
        "small": Decimal("1.25"),
        "large": Decimal(4_294_967_295),
        "double": 1e300,
        "single": 2.5,
        "infinite": float("inf"),
        "big": -(2**63),
    }
    async with publishing(broker_url, observer) as publisher:
        await publisher.keep(replace(_message(queue), headers=headers))

    assert (await amqp.receive(queue)).headers == {
        "table": {"inner": {"deep": [1, "two", None, bytearray(b"\xff")]}},
        "bytes": bytearray(b"\xff\xfe"),
        "array": [True, {"x": None}],
        "time": NOW,
        "small": Decimal("1.25"),
        "large": "4294967295",
        "double": "1e+300",
        "single": 2.5,
        "infinite": "inf",
        "big": -(2**63),
    }


async def test_a_hundred_cancelled_publishes_leave_the_link_as_it_was(
    broker_url: str, amqp: Amqp, queue: str, observer: RecordingObserver
) -> None:
    async with publishing(broker_url, observer) as publisher:
        for rounds in range(100):
            message = asyncio.ensure_future(publisher.publish(_message(queue)))
            for _ in range(rounds % 10):
                await asyncio.sleep(0)  # one round of the event loop, no time
            message.cancel()
            await asyncio.gather(message, return_exceptions=True)

        assert await publisher.publish(_message("no-such-queue")) is PublishVerdict.RETURNED
        assert await publisher.publish(_message(queue)) is PublishVerdict.CONFIRMED
    assert not observer.of(LinkDown)
