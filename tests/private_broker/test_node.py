import asyncio
from urllib.parse import urlsplit

import pytest
from aio_pika import DeliveryMode, Message

from service.private_broker import BrokerKind, ControlError, NoBrokerError, Node
from service.private_broker.installation import Installation
from service.private_broker.node import running_node
from tests.support.broker import amqp_client

QUEUE = "kept"


async def put(node: Node) -> None:
    async with amqp_client(node.url) as amqp:
        queue = await amqp.channel.declare_queue(QUEUE, durable=True)
        await queue.purge()
        await amqp.publish(QUEUE, Message(b"durable", delivery_mode=DeliveryMode.PERSISTENT))


async def take(node: Node) -> bytes:
    async with amqp_client(node.url) as amqp:
        return (await amqp.receive(QUEUE)).body


async def test_a_node_passes_a_message(node: Node) -> None:
    await put(node)
    assert await take(node) == b"durable"


def test_a_node_tells_what_it_is(private: Node, installation: Installation) -> None:
    assert private.kind is BrokerKind.NODE
    assert private.version[0] in "34"


async def test_a_node_listens_on_loopback_alone(node: Node) -> None:
    listeners = await node.run_ctl(
        "-q", "eval", "[L || {listener,_,_,_,L,_,_} <- rabbit_networking:active_listeners()]."
    )
    assert "{127,0,0,1}" in listeners
    assert "{0,0,0,0" not in listeners


async def test_configuration_reaches_the_node(node: Node) -> None:
    assert (await node.run_ctl("eval", "application:get_env(rabbit, consumer_timeout).")).strip() == "{ok,20000}"


async def test_a_command_that_fails_tells_why(node: Node) -> None:
    with pytest.raises(ControlError, match=r"rabbitmqctl delete_vhost nowhere: .*nowhere"):
        await node.run_ctl("delete_vhost", "nowhere")


async def test_stop_refuses_clients_and_start_brings_the_message_back(node: Node) -> None:
    await put(node)
    await node.stop()
    address = urlsplit(node.url)
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(address.hostname, address.port)
    await node.start()
    assert await take(node) == b"durable"


async def test_a_killed_node_comes_back_with_the_message(node: Node) -> None:
    await put(node)
    await node.kill()
    await node.start()
    assert await take(node) == b"durable"


async def test_a_node_that_cannot_start_shows_its_log_and_leaves_nothing(installation: Installation) -> None:
    with pytest.raises(NoBrokerError, match="ended as it started") as failure:
        async with running_node(installation, configuration={"no_such_setting": "1"}):
            pass
    assert "no_such_setting" in str(failure.value)
