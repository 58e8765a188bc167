import asyncio

import aio_pika
import pytest

from service.core.facts import ConsumerActive, LinkDown, LinkUp
from tests.integration.inbox import Inbox, consuming, declare_requests, round_trip
from tests.support.broker import Amqp
from tests.support.fakes import RecordingObserver
from tests.support.tcp_proxy import TcpProxy


async def test_a_paused_consumer_takes_nothing_and_can_still_ack(
    broker_url: str, amqp: Amqp, queue: str, inbox: Inbox, observer: RecordingObserver
) -> None:
    await amqp.publish(queue, aio_pika.Message(b"in hand"))
    async with consuming(broker_url, queue, inbox, observer) as (consumer, link):
        incoming = await inbox.wait_for(1)
        await consumer.pause()
        await amqp.publish(queue, aio_pika.Message(b"waits"))
        await round_trip(link)
        await incoming.ack()
        await round_trip(link)
        assert len(inbox.messages) == 1

        await consumer.resume()
        assert (await inbox.wait_for(2)).delivery.body == b"waits"

    assert [fact.active for fact in observer.of(ConsumerActive)][:3] == [True, False, True]
    assert [down.reason for down in observer.of(LinkDown)] == []


async def test_a_paused_consumer_does_not_consume_on_a_new_session_until_it_resumes(
    proxy: TcpProxy, proxied_url: str, amqp: Amqp, queue: str, inbox: Inbox, observer: RecordingObserver
) -> None:
    async with consuming(proxied_url, queue, inbox, observer) as (consumer, link):
        await observer.wait_for(ConsumerActive)
        await consumer.pause()
        proxy.cut()
        await observer.wait_for(LinkUp, 2)
        await amqp.publish(queue, aio_pika.Message(b"m"))
        await round_trip(link)
        assert not inbox.messages

        await consumer.resume()
        await inbox.wait_for(1)


async def test_a_consumer_that_resumes_while_the_link_is_down_consumes_when_it_is_up(
    proxy: TcpProxy, proxied_url: str, amqp: Amqp, queue: str, inbox: Inbox, observer: RecordingObserver
) -> None:
    async with consuming(proxied_url, queue, inbox, observer) as (consumer, _):
        await observer.wait_for(ConsumerActive)
        await consumer.pause()
        proxy.close_listening()
        proxy.cut()
        await observer.wait_for(LinkDown)
        await consumer.resume()
        await proxy.open_listening()

        await observer.until(lambda: observer.of(ConsumerActive)[-1].active)
        await amqp.publish(queue, aio_pika.Message(b"m"))
        await inbox.wait_for(1)


async def test_a_pause_that_a_frozen_broker_does_not_confirm_ends_the_session(
    proxy: TcpProxy, proxied_url: str, queue: str, inbox: Inbox, observer: RecordingObserver
) -> None:
    async with consuming(proxied_url, queue, inbox, observer, within=0.2) as (consumer, _):
        await observer.wait_for(ConsumerActive)
        proxy.freeze()

        await consumer.pause()
        assert not observer.of(ConsumerActive)[-1].active
        (down, *_) = await observer.wait_for(LinkDown)
        proxy.thaw()
        await observer.wait_for(LinkUp, 2)

        assert down.reason == "the broker did not answer in time"
        assert not observer.of(ConsumerActive)[-1].active


async def test_many_quick_changes_end_in_the_last_one(
    broker_url: str, amqp: Amqp, queue: str, inbox: Inbox, observer: RecordingObserver
) -> None:
    async with consuming(broker_url, queue, inbox, observer) as (consumer, link):
        await observer.wait_for(ConsumerActive)
        await asyncio.gather(*(change() for _ in range(20) for change in (consumer.pause, consumer.resume)))
        declared = await amqp.channel.declare_queue(queue, passive=True)
        assert declared.declaration_result.consumer_count == 1

        await asyncio.gather(*(change() for _ in range(20) for change in (consumer.resume, consumer.pause)))
        await amqp.publish(queue, aio_pika.Message(b"m"))
        await round_trip(link)
        assert not inbox.messages
        assert not observer.of(LinkDown)


async def test_a_message_fetched_while_paused_can_be_settled(
    broker_url: str, amqp: Amqp, queue: str, inbox: Inbox, observer: RecordingObserver
) -> None:
    await amqp.publish(queue, aio_pika.Message(b"one"))
    await amqp.publish(queue, aio_pika.Message(b"two"))
    async with consuming(broker_url, queue, inbox, observer, paused=True) as (consumer, link):
        await link.session()
        incoming = await consumer.take_one()
        assert incoming is not None
        assert incoming.delivery.body == b"one"
        await incoming.ack()
        await round_trip(link)

    assert not inbox.messages
    assert (await amqp.receive(queue)).body == b"two"


async def test_a_fetch_from_an_empty_queue_gives_none_and_from_a_missing_one_ends_the_session(
    broker_url: str, amqp: Amqp, queue: str, inbox: Inbox, observer: RecordingObserver
) -> None:
    async with consuming(broker_url, queue, inbox, observer, paused=True) as (consumer, link):
        await link.session()
        assert await consumer.take_one() is None
        assert not observer.of(LinkDown)

        await amqp.channel.queue_delete(queue)
        assert await consumer.take_one() is None
        (down, *_) = await observer.wait_for(LinkDown)
        assert queue in down.reason


async def test_a_fetch_that_a_frozen_broker_does_not_answer_gives_none_and_ends_the_session(
    proxy: TcpProxy, proxied_url: str, queue: str, inbox: Inbox, observer: RecordingObserver
) -> None:
    async with consuming(proxied_url, queue, inbox, observer, within=0.2, paused=True) as (consumer, link):
        await link.session()
        proxy.freeze()
        assert await consumer.take_one() is None
        await observer.wait_for(LinkDown)
        proxy.thaw()


@pytest.mark.parametrize("settle", ["ack", "hand_back"])
async def test_a_session_that_ends_within_accept_hands_out_nothing_more(
    broker_url: str, amqp: Amqp, queue: str, inbox: Inbox, observer: RecordingObserver, settle: str
) -> None:
    for number in range(5):
        await amqp.publish(queue, aio_pika.Message(b"%d" % number))
    async with consuming(broker_url, queue, inbox, observer, paused=True) as (consumer, link):
        session = await link.session()
        # The other four are in the socket, in the library or in its tasks by then.
        inbox.at_first = lambda: session.end("enough")
        await consumer.resume()
        await observer.wait_for(LinkUp, 2)
        for number in range(2, 7):
            assert (await inbox.wait_for(number)).delivery.redelivered
        await getattr(inbox.messages[0], settle)()
        await round_trip(link)

        assert len(inbox.messages) == 6
        for incoming in inbox.messages[1:]:
            await incoming.ack()
        await round_trip(link)
    assert await amqp.count(queue) == 0


async def test_the_count_of_earlier_deliveries_is_read_and_is_no_header(
    broker_url: str, amqp: Amqp, queue: str, inbox: Inbox, observer: RecordingObserver
) -> None:
    await amqp.publish(queue, aio_pika.Message(b"m", headers={"a": "b"}))
    async with consuming(broker_url, queue, inbox, observer) as (_, link):
        first = await inbox.wait_for(1)
        await first.hand_back()
        second = await inbox.wait_for(2)
        await second.ack()
        await round_trip(link)

    assert [message.delivery.delivery_count for message in inbox.messages] == [0, 1]
    assert [message.delivery.headers for message in inbox.messages] == [{"a": "b"}] * 2


async def test_a_queue_that_is_deleted_during_a_pause_is_consumed_once_it_is_back(
    broker_url: str, amqp: Amqp, queue: str, inbox: Inbox, observer: RecordingObserver
) -> None:
    async with consuming(broker_url, queue, inbox, observer, paused=True) as (consumer, link):
        await link.session()
        await amqp.channel.queue_delete(queue)
        await consumer.resume()
        await observer.wait_for(LinkDown)
        await declare_requests(amqp, queue)
        await observer.until(lambda: bool(observer.of(ConsumerActive)) and observer.of(ConsumerActive)[-1].active)

        await amqp.publish(queue, aio_pika.Message(b"m"))
        await inbox.wait_for(1)
