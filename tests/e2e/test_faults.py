"""Faults in the middle of work: one call, one result."""

import asyncio
import json

import pytest
from yarl import URL

from service.adapters.rabbitmq.declare import declare
from service.core.facts import ConsumerActive, Joined, LinkDown, Settled
from tests.e2e.test_requests import replies_of, request
from tests.support.broker import Amqp
from tests.support.requester import open_requester
from tests.support.running import running_worker, settings_for, simulated_endpoint
from tests.support.tcp_proxy import TcpProxy


def through(proxy: TcpProxy, broker_url: str) -> str:
    return str(URL(broker_url).with_host("127.0.0.1").with_port(proxy.port))


@pytest.mark.pain(2)
async def test_connections_cut_in_mid_call_cost_one_call_and_give_one_result(broker_url: str, prefix: str) -> None:
    real = URL(broker_url)
    async with (
        simulated_endpoint() as simulator,
        TcpProxy(real.host or "", real.port or 5672) as proxy,
        running_worker(settings_for(through(proxy, broker_url), prefix, simulator.base_url)) as running,
        open_requester(broker_url, prefix) as requester,
    ):
        await requester.send(request("a cat [sim: hold]"), "r1")
        await simulator.record.wait_in_flight(1)
        proxy.cut()
        await running.consuming(times=2)
        # The broker has given the message out again, and the copy waits for the call that is under way.
        await running.facts.wait_for(Joined)
        simulator.release()
        (reply,) = await replies_of(requester, 1)
        await running.facts.wait_for(Settled)

        assert reply.body["status"] == "submitted"
        assert len(simulator.record.posts) == 1
        await requester.send(request("a dog"), "r2")
        (second,) = await replies_of(requester, 1)
        assert second.correlation_id == "r2"


async def test_a_deleted_queue_is_declared_again_and_consumed_again(broker_url: str, prefix: str, amqp: Amqp) -> None:
    async with (
        simulated_endpoint() as simulator,
        running_worker(settings_for(broker_url, prefix, simulator.base_url)) as running,
    ):
        await amqp.channel.queue_delete(f"{prefix}.requests")
        await running.facts.until(lambda: ConsumerActive(active=False) in running.facts.facts)
        await running.consuming(times=2)
        async with open_requester(broker_url, prefix) as requester:
            await requester.send(request("a cat"), "r1")
            (reply,) = await replies_of(requester, 1)

        assert reply.body["status"] == "submitted"


async def test_a_queue_that_the_worker_must_not_declare_is_waited_for_once_it_was_there(
    broker_url: str, prefix: str, amqp: Amqp
) -> None:
    async with simulated_endpoint() as simulator:
        settings = settings_for(broker_url, prefix, simulator.base_url)
        await declare(amqp.channel, settings.topology)
        passive = settings.model_copy(update={"broker": settings.broker.model_copy(update={"declare": False})})
        async with running_worker(passive) as running:
            await amqp.channel.queue_delete(f"{prefix}.requests")
            await running.facts.until(
                lambda: any("does not exist" in fact.reason for fact in running.facts.of(LinkDown)), guard=30
            )
            await declare(amqp.channel, settings.topology)
            await running.consuming(times=2)
            async with open_requester(broker_url, prefix) as requester:
                await requester.send(request("a cat"), "r1")
                (reply,) = await replies_of(requester, 1)

    assert reply.body["status"] == "submitted"


async def test_an_answer_lost_after_acceptance_is_uncertain_and_never_sent_again(broker_url: str, prefix: str) -> None:
    faults = ("accept-then-502", "reset", "close", "half", "200 no-task-id", "truncated", "html 502")
    ids = [fault.replace(" ", "-") for fault in faults]
    async with (
        simulated_endpoint() as simulator,
        running_worker(settings_for(broker_url, prefix, simulator.base_url)),
        open_requester(broker_url, prefix) as requester,
    ):
        for fault, name in zip(faults, ids, strict=True):
            await requester.send(request(f"a cat [sim: {fault}]"), name)
        replies = await replies_of(requester, len(faults))

        errors = {reply.correlation_id: reply.body["error"] for reply in replies}
        assert {name: error["code"] for name, error in errors.items()} == dict.fromkeys(ids, "uncertain")
        assert {error["charged"] for error in errors.values()} == {"unknown"}
        assert sorted(post.idempotency_key or "" for post in simulator.record.posts) == sorted(ids)


async def test_a_slow_endpoint_is_given_up_in_time_and_called_once(broker_url: str, prefix: str) -> None:
    async with (
        simulated_endpoint() as simulator,
        running_worker(settings_for(broker_url, prefix, simulator.base_url, timeout=0.5)) as running,
        open_requester(broker_url, prefix) as requester,
    ):
        await requester.send(request("a cat [sim: hang]"), "r1")
        (reply,) = await replies_of(requester, 1)
        await running.facts.wait_for(Settled)

        assert reply.body["error"]["code"] == "uncertain"
        assert len(simulator.record.posts) == 1


async def test_safe_refusals_are_retried_and_counted(broker_url: str, prefix: str) -> None:
    async with (
        simulated_endpoint() as simulator,
        running_worker(settings_for(broker_url, prefix, simulator.base_url)),
        open_requester(broker_url, prefix) as requester,
    ):
        await requester.send(request("a cat [sim: 429, 503 then 200]"), "r1")
        await requester.send(request("a cat [sim: 503 x9]"), "r2")
        replies = {reply.correlation_id: reply.body for reply in await replies_of(requester, 2)}

        assert (replies["r1"]["status"], replies["r1"]["attempts"]) == ("submitted", 3)
        assert (replies["r2"]["error"]["code"], replies["r2"]["attempts"]) == ("unavailable", 4)
        assert len(simulator.record.posts) == 7


async def test_an_endpoint_that_is_away_gives_unavailable_and_a_dead_copy(
    broker_url: str, prefix: str, amqp: Amqp
) -> None:
    async with (
        running_worker(settings_for(broker_url, prefix, "http://127.0.0.1:9")),
        open_requester(broker_url, prefix) as requester,
    ):
        await requester.send(request("a cat"), "r1")
        (reply,) = await replies_of(requester, 1)

    assert (reply.body["error"]["code"], reply.body["error"]["charged"]) == ("unavailable", "no")
    async with asyncio.timeout(10):
        copy = await amqp.receive(f"{prefix}.dead")
    assert copy.headers["x-error-code"] == "unavailable"
    assert json.loads(copy.body)["prompt"] == "a cat"
