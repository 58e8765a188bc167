from datetime import UTC, datetime, timedelta

import aio_pika
import pytest
from yarl import URL

from service.adapters.rabbitmq.requester import RequesterError, open_requester
from service.private_broker.free_ports import free_ports
from tests.support.broker import Amqp
from tests.support.tcp_proxy import TcpProxy


async def test_a_request_tells_when_it_was_sent(broker_url: str, prefix: str, amqp: Amqp) -> None:
    await amqp.channel.declare_queue(f"{prefix}.requests", durable=True)
    before = datetime.now(UTC)
    async with open_requester(broker_url, prefix) as requester:
        await requester.send(b"{}", "r1")
    message = await amqp.receive(f"{prefix}.requests")

    assert message.timestamp is not None
    # On the wire a timestamp has whole seconds.
    assert before - timedelta(seconds=1) <= message.timestamp <= datetime.now(UTC)
    assert (message.message_id, message.correlation_id) == ("r1", "r1")


async def test_a_result_comes_with_the_id_of_its_request(broker_url: str, prefix: str, amqp: Amqp) -> None:
    await amqp.channel.declare_queue(f"{prefix}.requests", durable=True)
    async with open_requester(broker_url, prefix) as requester:
        await requester.send(b"{}", "r1")
        request = await amqp.receive(f"{prefix}.requests")
        assert request.reply_to is not None
        await amqp.publish(request.reply_to, aio_pika.Message(b'{"status": "submitted"}', correlation_id="r1"))
        reply = await anext(requester.replies())

    assert (reply.correlation_id, reply.body) == ("r1", {"status": "submitted"})


async def test_a_missing_request_queue_is_named(broker_url: str, prefix: str) -> None:
    async with open_requester(broker_url, prefix) as requester:
        with pytest.raises(RequesterError, match=f"'{prefix}.requests' does not exist"):
            await requester.send(b"{}", "r1")


async def test_a_broker_that_is_away_is_said_without_the_password(prefix: str) -> None:
    (port,) = free_ports(1)
    with pytest.raises(RequesterError, match="cannot be reached") as failure:
        await open_requester(f"amqp://me:secret@127.0.0.1:{port}/", prefix).__aenter__()
    assert "secret" not in str(failure.value)


async def test_a_lost_connection_ends_the_wait_for_results(broker_url: str, prefix: str) -> None:
    real = URL(broker_url)
    async with TcpProxy(real.host or "", real.port or 5672) as proxy:
        address = str(real.with_host("127.0.0.1").with_port(proxy.port))
        async with open_requester(address, prefix) as requester:
            proxy.cut()
            with pytest.raises(RequesterError, match="lost while waiting"):
                await anext(requester.replies())


async def test_a_lost_connection_ends_a_send(broker_url: str, prefix: str) -> None:
    real = URL(broker_url)
    async with TcpProxy(real.host or "", real.port or 5672) as proxy:
        address = str(real.with_host("127.0.0.1").with_port(proxy.port))
        async with open_requester(address, prefix) as requester:
            proxy.freeze()
            proxy.cut()
            with pytest.raises(RequesterError, match="lost while sending"):
                await requester.send(b"{}", "r1")
