"""Where results go."""

import asyncio
import json

import aio_pika
import pytest
from aio_pika.abc import AbstractIncomingMessage

from service.core.facts import LinkDown, Settled
from tests.e2e.test_requests import request
from tests.support.broker import Amqp
from tests.support.raw_publish import publish_raw, short_string
from tests.support.running import running_worker, settings_for, simulated_endpoint


@pytest.mark.parametrize(
    ("prompt", "key", "status"),
    [("a cat", "result.submitted", "submitted"), ("a cat [sim: 400]", "result.failed", "failed")],
)
async def test_without_reply_to_the_result_goes_to_the_results_queue(
    prompt: str, key: str, status: str, broker_url: str, prefix: str, amqp: Amqp
) -> None:
    async with (
        simulated_endpoint() as simulator,
        running_worker(settings_for(broker_url, prefix, simulator.base_url)),
    ):
        await amqp.publish(f"{prefix}.requests", aio_pika.Message(request(prompt), message_id="r1"))
        reply = await amqp.receive(f"{prefix}.results")

    assert (reply.exchange, reply.routing_key) == (prefix, key)
    assert json.loads(reply.body)["status"] == status
    assert reply.correlation_id == "r1"


async def test_a_request_routed_by_the_exchange_is_worked_on(broker_url: str, prefix: str, amqp: Amqp) -> None:
    async with (
        simulated_endpoint() as simulator,
        running_worker(settings_for(broker_url, prefix, simulator.base_url)),
    ):
        exchange = await amqp.channel.get_exchange(prefix)
        await exchange.publish(aio_pika.Message(request("a cat"), message_id="r1"), "request")
        reply = await amqp.receive(f"{prefix}.results")

    assert json.loads(reply.body)["status"] == "submitted"


async def test_the_correlation_id_is_echoed_and_each_result_has_its_properties(
    broker_url: str, prefix: str, amqp: Amqp
) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    async with (
        simulated_endpoint() as simulator,
        running_worker(settings_for(broker_url, prefix, simulator.base_url)),
    ):
        replies = await amqp.channel.declare_queue(exclusive=True)
        message = aio_pika.Message(
            request("a cat"),
            message_id="r1",
            correlation_id="mine",
            reply_to=replies.name,
            headers={"traceparent": trace, "tracestate": "vendor=1"},
        )
        await amqp.channel.default_exchange.publish(message, f"{prefix}.requests")
        reply = await amqp.receive(replies.name)

    assert reply.correlation_id == "mine"
    assert (reply.type, reply.app_id, reply.content_type) == (
        "videogen.result.v1",
        "videogen-worker",
        "application/json",
    )
    assert reply.delivery_mode == aio_pika.DeliveryMode.PERSISTENT
    assert reply.timestamp is not None
    assert reply.message_id not in {None, "r1", "mine"}
    assert (reply.headers["traceparent"], reply.headers["tracestate"]) == (trace, "vendor=1")
    assert simulator.record.posts[0].traceparent == trace


async def test_direct_reply_to_works(broker_url: str, prefix: str, amqp: Amqp) -> None:
    async with (
        simulated_endpoint() as simulator,
        running_worker(settings_for(broker_url, prefix, simulator.base_url)),
    ):
        arrived: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
        pseudo = await amqp.channel.get_queue("amq.rabbitmq.reply-to", ensure=False)
        await pseudo.consume(arrived.put, no_ack=True)
        await amqp.publish(
            f"{prefix}.requests",
            aio_pika.Message(request("a cat"), message_id="r1", reply_to="amq.rabbitmq.reply-to"),
        )
        async with asyncio.timeout(20):
            reply = await arrived.get()

        undelivered = await amqp.channel.get_queue(f"{prefix}.undelivered")
        assert json.loads(reply.body)["status"] == "submitted"
        assert undelivered.declaration_result.message_count == 0


@pytest.mark.pain(8)
async def test_a_result_whose_queue_is_gone_is_kept_and_the_consumer_goes_on(
    broker_url: str, prefix: str, amqp: Amqp
) -> None:
    async with (
        simulated_endpoint() as simulator,
        running_worker(settings_for(broker_url, prefix, simulator.base_url)) as running,
    ):
        await amqp.publish(
            f"{prefix}.requests",
            aio_pika.Message(request("a cat"), message_id="lost", reply_to="gone.for.good"),
        )
        await amqp.publish(f"{prefix}.requests", aio_pika.Message(request("a dog"), message_id="kept"))
        await running.facts.wait_for(Settled, 2)
        kept = await amqp.receive(f"{prefix}.undelivered")

    assert kept.headers["x-original-reply-to"] == "gone.for.good"
    assert json.loads(kept.body)["request_id"] == "lost"
    assert json.loads(kept.body)["task_id"]


async def test_a_message_without_an_id_gets_one_and_a_warning(broker_url: str, prefix: str, amqp: Amqp) -> None:
    async with (
        simulated_endpoint() as simulator,
        running_worker(settings_for(broker_url, prefix, simulator.base_url)),
    ):
        await publish_raw(amqp.connection, f"{prefix}.requests", request("a cat"))
        reply = await amqp.receive(f"{prefix}.results")

    body = json.loads(reply.body)
    assert body["request_id"] == reply.correlation_id
    assert "message_id" in body["warnings"][0]


async def test_a_request_past_its_deadline_is_not_called(broker_url: str, prefix: str, amqp: Amqp) -> None:
    async with (
        simulated_endpoint() as simulator,
        running_worker(settings_for(broker_url, prefix, simulator.base_url)),
    ):
        message = aio_pika.Message(request("a cat"), message_id="r1", headers={"x-deadline": "2026-01-01T00:00:00Z"})
        await amqp.channel.default_exchange.publish(message, f"{prefix}.requests")
        reply = await amqp.receive(f"{prefix}.results")

    error = json.loads(reply.body)["error"]
    assert (error["code"], error["retryable"], error["charged"]) == ("expired", True, "no")
    assert simulator.record.posts == ()


async def test_a_forged_direct_reply_name_is_kept_for_the_operator_and_disturbs_nobody(
    broker_url: str, prefix: str, amqp: Amqp
) -> None:
    async with (
        simulated_endpoint() as simulator,
        running_worker(settings_for(broker_url, prefix, simulator.base_url)) as running,
    ):
        forged = "amq.rabbitmq.reply-to.g2gCYQFhAg==.abc"
        await publish_raw(
            amqp.connection,
            f"{prefix}.requests",
            request("a cat"),
            reply_to=short_string(forged.encode()),
            message_id=short_string(b"forged"),
        )
        for n in range(20):
            await amqp.publish(f"{prefix}.requests", aio_pika.Message(request("a dog"), message_id=f"r{n}"))
        await running.facts.wait_for(Settled, 21)

        kept = await amqp.receive(f"{prefix}.undelivered")
        assert kept.headers["x-original-reply-to"] == forged
        assert len(simulator.record.posts) == 21
        assert await amqp.count(f"{prefix}.results") == 20
        assert running.facts.of(LinkDown) == []
