import asyncio
from datetime import timedelta

import aio_pika
import pytest
from aio_pika.abc import AbstractIncomingMessage, HeadersType

from service.adapters.rabbitmq.declare import check, declare, explain_mismatch
from service.adapters.rabbitmq.errors import TopologyError
from service.core.topology import RetryTier, Topology
from tests.support.broker import Amqp
from tests.support.fakes import GUARD

TIERS = (
    RetryTier("10s", timedelta(seconds=10)),
    RetryTier("1m", timedelta(minutes=1)),
    RetryTier("5m", timedelta(minutes=5)),
    RetryTier("30m", timedelta(minutes=30)),
)


@pytest.fixture
def topology(prefix: str) -> Topology:
    return Topology(prefix, TIERS)


async def test_declaring_twice_is_fine(amqp: Amqp, topology: Topology) -> None:
    await declare(amqp.channel, topology)
    await declare(amqp.channel, topology)

    await check(amqp.channel, topology)


async def test_every_queue_is_there_with_its_arguments(amqp: Amqp, topology: Topology) -> None:
    await declare(amqp.channel, topology)

    assert len(topology.queues) == 8
    for spec in topology.queues:
        # The broker refuses another declaration unless the arguments are the same.
        await amqp.channel.declare_queue(spec.name, durable=True, arguments=dict(spec.arguments))


async def test_the_exchange_routes_requests_and_results(amqp: Amqp, topology: Topology) -> None:
    await declare(amqp.channel, topology)
    exchange = await amqp.channel.get_exchange(topology.exchange)

    for key in ("request", "result.submitted", "result.failed"):
        await exchange.publish(aio_pika.Message(key.encode()), key, mandatory=True)

    assert (await amqp.receive(topology.requests)).body == b"request"
    assert {(await amqp.receive(topology.results)).body for _ in range(2)} == {
        b"result.submitted",
        b"result.failed",
    }


async def test_a_wait_queue_hands_its_messages_back_to_the_requests(amqp: Amqp, prefix: str) -> None:
    topology = Topology(prefix, (RetryTier("10s", timedelta(milliseconds=50)),))
    await declare(amqp.channel, topology)

    await amqp.publish(topology.retry_queue(topology.tiers[0]), aio_pika.Message(b"again"))

    assert (await amqp.receive(topology.requests)).body == b"again"


async def test_a_message_that_is_handed_back_too_often_ends_in_the_dead_queue(amqp: Amqp, topology: Topology) -> None:
    await declare(amqp.channel, topology)
    await amqp.publish(topology.requests, aio_pika.Message(b"poison"))
    queue = await amqp.channel.get_queue(topology.requests)

    async def reject(message: AbstractIncomingMessage) -> None:
        await message.reject(requeue=True)

    await queue.consume(reject)

    assert (await amqp.receive(topology.dead)).body == b"poison"


KEPT: HeadersType = {"x-queue-type": "quorum", "x-delivery-limit": 1_000_000_000}


@pytest.mark.parametrize(
    ("arguments", "argument", "theirs", "ours"),
    [
        ({**KEPT, "x-message-ttl": 5000}, "x-message-ttl", "5000", "604800000"),
        (KEPT, "x-message-ttl", "none", "604800000"),
        ({"x-queue-type": "quorum", "x-message-ttl": 604_800_000}, "x-delivery-limit", "none", "1000000000"),
        ({**KEPT, "x-message-ttl": 604_800_000, "x-max-length": 7}, "x-max-length", "7", "none"),
        ({"x-queue-type": "classic", "x-message-ttl": 604_800_000}, "x-queue-type", "classic", "quorum"),
    ],
)
async def test_a_queue_with_another_argument_is_named_with_both_values(
    amqp: Amqp, topology: Topology, arguments: HeadersType, argument: str, theirs: str, ours: str
) -> None:
    async with await amqp.connection.channel() as channel:
        await channel.declare_queue(topology.dead, durable=True, arguments=arguments)

    with pytest.raises(TopologyError) as raised:
        await declare(amqp.channel, topology)

    message = str(raised.value)
    assert topology.dead in message
    assert argument in message
    assert theirs in message
    assert ours in message


async def test_an_exchange_of_another_type_is_named_with_both_types(amqp: Amqp, topology: Topology) -> None:
    async with await amqp.connection.channel() as channel:
        await channel.declare_exchange(topology.exchange, "direct", durable=True)

    with pytest.raises(TopologyError) as raised:
        await declare(amqp.channel, topology)

    message = str(raised.value)
    assert all(word in message for word in (topology.exchange, "type", "'direct'", "'topic'"))


async def test_check_names_a_missing_exchange(amqp: Amqp, topology: Topology) -> None:
    with pytest.raises(TopologyError, match=f"'{topology.exchange}' does not exist") as raised:
        await check(amqp.channel, topology)

    assert "VIDEOGEN_BROKER__DECLARE" in str(raised.value)


@pytest.mark.parametrize("number", range(8))
async def test_check_names_the_missing_queue(amqp: Amqp, topology: Topology, number: int) -> None:
    missing = topology.queues[number].name
    async with asyncio.timeout(GUARD):
        await declare(amqp.channel, topology)
        await amqp.channel.queue_delete(missing)

        with pytest.raises(TopologyError, match=f"'{missing}' does not exist"):
            await check(amqp.channel, topology)


# The wording of RabbitMQ 3.10; `equivalence_fail` in its rabbit_misc.erl has the same in 4.x.
RECORDED = [
    (
        (
            "PRECONDITION_FAILED - inequivalent arg 'x-message-ttl' for queue 'videogen.dead' in vhost '/': "
            "received the value '604800000' of type 'signedint' but current is none"
        ),
        ("queue 'videogen.dead'", "virtual host '/'", "x-message-ttl = none", "x-message-ttl = '604800000'"),
    ),
    (
        (
            "PRECONDITION_FAILED - inequivalent arg 'x-queue-type' for queue 'videogen.requests' in vhost 'prod': "
            "received the value 'quorum' of type 'longstr' but current is the value 'classic' of type 'longstr'"
        ),
        ("queue 'videogen.requests'", "'prod'", "x-queue-type = 'classic'", "x-queue-type = 'quorum'"),
    ),
    (
        (
            "PRECONDITION_FAILED - inequivalent arg 'x-delivery-limit' for queue 'q' in vhost '/': "
            "received none but current is the value '5' of type 'long'"
        ),
        ("queue 'q'", "x-delivery-limit = '5'", "x-delivery-limit = none"),
    ),
    (
        (
            "PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'q' in vhost '/': "
            "received 'true' but current is 'false'"
        ),
        ("queue 'q'", "durable = 'false'", "durable = 'true'"),
    ),
    (
        (
            "PRECONDITION_FAILED - inequivalent arg 'type' for exchange 'videogen' in vhost '/': "
            "received 'topic' but current is 'direct'"
        ),
        ("exchange 'videogen'", "type = 'direct'", "type = 'topic'"),
    ),
]


@pytest.mark.parametrize(("text", "parts"), RECORDED, ids=lambda value: str(value)[40:80])
def test_a_recorded_refusal_is_explained(text: str, parts: tuple[str, ...]) -> None:
    explained = explain_mismatch(text)

    assert all(part in explained for part in parts), explained
    assert "Delete the" in explained


def test_a_refusal_in_unknown_words_is_passed_on() -> None:
    text = "PRECONDITION_FAILED - something new"

    assert explain_mismatch(text) == "The broker refused a declaration: PRECONDITION_FAILED - something new"
