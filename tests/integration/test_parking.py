from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime

import aio_pika
import pytest
from aiormq.abc import ArgumentsType
from pydantic import SecretStr

from service.adapters.rabbitmq.parking import Held, Parking, ParkingError, open_parking
from service.core.outgoing import Outgoing, PublishVerdict, Route
from service.settings import BrokerSettings
from tests.support.broker import Amqp
from tests.support.raw_publish import publish_raw, short_string
from tests.support.tcp_proxy import TcpProxy

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
async def queue(amqp: Amqp, prefix: str) -> AsyncIterator[str]:
    declared = await amqp.channel.declare_queue(f"{prefix}.dead", durable=True, arguments={"x-queue-type": "quorum"})
    yield declared.name
    await amqp.channel.queue_delete(declared.name)


async def put(amqp: Amqp, queue: str, *bodies: bytes) -> None:
    for body in bodies:
        await amqp.publish(queue, aio_pika.Message(body))


def parking(url: str, queue: str, publish_timeout: float = 20.0) -> AbstractAsyncContextManager[Parking]:
    broker = BrokerSettings(url=SecretStr(url), publish_timeout=publish_timeout)
    return open_parking(broker, queue, lambda: "new-id")


async def everything(held_in: Parking) -> list[Held]:
    return [held async for held in held_in.messages()]


async def bodies(url: str, queue: str) -> list[bytes]:
    async with parking(url, queue) as again:
        return [held.delivery.body for held in await everything(again)]


def outgoing(queue: str, exchange: str = "") -> Outgoing:
    return Outgoing(
        route=Route(exchange, queue),
        body=b"again",
        content_type="application/json",
        correlation_id="theirs",
        timestamp=NOW,
        headers={"tenant": "shop"},
        message_id="mine",
        reply_to="replies",
        priority=4,
        app_id="shop",
        type="request",
    )


async def test_held_messages_go_back_in_their_order(broker_url: str, amqp: Amqp, queue: str) -> None:
    names = [f"{number}".encode() for number in range(500)]
    await put(amqp, queue, *names)
    assert await bodies(broker_url, queue) == names
    assert await bodies(broker_url, queue) == names


async def test_what_is_taken_out_is_gone(broker_url: str, amqp: Amqp, queue: str) -> None:
    await put(amqp, queue, b"a", b"b")
    async with parking(broker_url, queue) as held_in:
        first, _ = await everything(held_in)
        await held_in.take_out(first)
        await held_in.settled()
    assert await bodies(broker_url, queue) == [b"b"]


async def test_no_more_is_read_than_was_there_at_the_beginning(broker_url: str, amqp: Amqp, queue: str) -> None:
    await put(amqp, queue, b"a", b"b")
    read = 0
    async with parking(broker_url, queue) as held_in:
        async for _ in held_in.messages():
            read += 1
            await put(amqp, queue, b"more")
    assert read == held_in.size == 2


async def test_reading_ends_where_somebody_else_took_the_rest(broker_url: str, amqp: Amqp, queue: str) -> None:
    await put(amqp, queue, b"a", b"b")
    async with parking(broker_url, queue) as held_in:
        await amqp.receive(queue)
        await amqp.receive(queue)
        assert await everything(held_in) == []


async def test_every_property_is_published(broker_url: str, amqp: Amqp, queue: str) -> None:
    async with parking(broker_url, queue) as held_in:
        assert await held_in.publish(outgoing(queue)) is PublishVerdict.CONFIRMED
    message = await amqp.receive(queue)
    assert (message.body, message.content_type, message.correlation_id) == (b"again", "application/json", "theirs")
    assert (message.message_id, message.reply_to, message.priority) == ("mine", "replies", 4)
    assert (message.app_id, message.type, message.timestamp, message.delivery_mode) == ("shop", "request", NOW, 2)
    assert message.headers["tenant"] == "shop"


async def test_a_publish_to_a_missing_queue_is_returned(broker_url: str, queue: str) -> None:
    async with parking(broker_url, queue) as held_in:
        assert await held_in.publish(outgoing("nowhere")) is PublishVerdict.RETURNED
        assert await held_in.publish(outgoing(queue)) is PublishVerdict.CONFIRMED


async def test_a_publish_to_a_full_queue_is_nacked(broker_url: str, amqp: Amqp, queue: str) -> None:
    arguments: ArgumentsType = {"x-max-length": 1, "x-overflow": "reject-publish"}
    full = await amqp.channel.declare_queue(exclusive=True, arguments=arguments)
    await put(amqp, full.name, b"full")
    async with parking(broker_url, queue) as held_in:
        assert await held_in.publish(outgoing(full.name)) is PublishVerdict.NACKED


async def test_a_missing_exchange_is_said(broker_url: str, queue: str) -> None:
    async with parking(broker_url, queue) as held_in:
        with pytest.raises(ParkingError, match="no exchange 'nowhere'"):
            await held_in.publish(outgoing("key", exchange="nowhere"))


async def test_odd_properties_do_not_end_the_connection(broker_url: str, amqp: Amqp, queue: str) -> None:
    await publish_raw(amqp.connection, queue, b"a", message_id=short_string(b"\xff"))
    async with parking(broker_url, queue) as held_in:
        (held,) = await everything(held_in)
    assert held.delivery.message_id == "\\xff"


async def test_a_cut_connection_is_said_and_everything_is_there_again(
    broker_url: str, proxied_url: str, proxy: TcpProxy, amqp: Amqp, queue: str
) -> None:
    await put(amqp, queue, b"a", b"b")
    async with parking(proxied_url, queue) as held_in:
        first, _ = await everything(held_in)
        proxy.cut()
        with pytest.raises(ParkingError, match="connection was lost"):
            await held_in.publish(outgoing(queue))
        with pytest.raises(ParkingError, match="connection was lost"):
            await held_in.take_out(first)
    assert (await amqp.receive(queue)).body in {b"a", b"b"}
    assert (await amqp.receive(queue)).body in {b"a", b"b"}


async def test_a_broker_that_gives_no_word_is_given_up(
    proxied_url: str, proxy: TcpProxy, amqp: Amqp, queue: str
) -> None:
    async with parking(proxied_url, queue, publish_timeout=0.2) as held_in:
        proxy.freeze()
        with pytest.raises(ParkingError, match="did not answer in time"):
            await held_in.publish(outgoing(queue))
        proxy.thaw()


async def test_a_queue_that_does_not_exist_is_named(broker_url: str, prefix: str) -> None:
    with pytest.raises(ParkingError, match=f"'{prefix}.dead' does not exist"):
        async with parking(broker_url, f"{prefix}.dead"):
            pass


async def test_a_target_that_does_not_exist_is_named(broker_url: str, queue: str) -> None:
    broker = BrokerSettings(url=SecretStr(broker_url))
    with pytest.raises(ParkingError, match="'nowhere' does not exist"):
        async with open_parking(broker, queue, lambda: "new-id", target="nowhere"):
            pass


async def test_a_broker_that_is_away_is_said() -> None:
    with pytest.raises(ParkingError, match="cannot be reached"):
        async with parking("amqp://127.0.0.1:9/", "dead"):
            pass
