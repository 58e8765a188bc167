"""Messages that come again: after a timeout of the broker, after crashes, after reconnects."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aio_pika
import pytest

from service.adapters.rabbitmq.declare import declare
from service.core.facts import LinkDown, LinkRole, Settled
from service.core.topology import DELIVERY_LIMIT, Topology
from service.private_broker import Node
from tests.chaos.harness.in_process import quick_settings, worker_at_work
from tests.chaos.harness.scene import open_scene
from tests.chaos.harness.traffic import Request, request
from tests.chaos.harness.trial import Trial
from tests.chaos.harness.waiting import until
from tests.e2e.test_requests import replies_of
from tests.e2e.test_requests import request as body_of
from tests.support.broker import Amqp, amqp_client
from tests.support.links import proxy_to, with_address
from tests.support.requester import open_requester
from tests.support.running import Running, simulated_endpoint

pytestmark = pytest.mark.timeout(1800)

# The private node's `consumer_timeout` is 20 s.
LONG_CALL = 40
CONCURRENCY = 8


@pytest.mark.pain(3)
async def test_a_call_that_outlasts_the_consumer_timeout_is_made_once_and_answered_once(
    trial: Trial, node: Node
) -> None:
    prefix = "outlasting"
    async with (
        consumer_timeout_checked_often(node),
        simulated_endpoint() as simulator,
        worker_at_work(
            quick_settings(node.url, prefix, simulator.base_url, trial.folder, timeout=LONG_CALL + 10)
        ) as running,
        open_requester(node.url, prefix) as requester,
    ):
        await requester.send(body_of(f"a cat [sim: latency={LONG_CALL}]"), "r0")
        (reply,) = await replies_of(requester, 1)
        await running.facts.wait_for(Settled)
        await until(lambda: is_idle(running), "every copy is settled")

        cuts = [fact.reason for fact in running.facts.of(LinkDown) if fact.role is LinkRole.CONSUME]
        assert any("timeout" in reason.lower() for reason in cuts), cuts
        assert reply.body["status"] == "submitted"
        assert simulator.record.count == 1
        # A second reply, or a copy that is still about, would be here.
        await requester.send(body_of("a dog"), "r1")
        (following,) = await replies_of(requester, 1)
        assert following.correlation_id == "r1"
        async with amqp_client(node.url) as amqp:
            assert [await amqp.count(f"{prefix}.{queue}") for queue in ("requests", "dead")] == [0, 0]


@asynccontextmanager
async def consumer_timeout_checked_often(node: Node) -> AsyncIterator[None]:
    """Let the broker look every two seconds for messages held too long; of itself it does so once a minute."""
    await node.run_ctl("eval", "application:set_env(rabbit, channel_tick_interval, 2000).")
    try:
        yield
    finally:
        await node.run_ctl("eval", "application:set_env(rabbit, channel_tick_interval, 60000).")


@pytest.mark.pain(13)
async def test_a_message_whose_worker_dies_each_time_ends_in_the_dead_queue_and_the_next_is_worked_on(
    trial: Trial, broker_url: str, prefix: str, amqp: Amqp
) -> None:
    topology = Topology(prefix)
    await declare(amqp.channel, topology)
    await amqp.publish(topology.requests, persistent("poison"))
    async with proxy_to(broker_url) as proxy:
        address = with_address(broker_url, port=proxy.port)
        for _ in range(DELIVERY_LIMIT + 1):
            await take_one(address, topology.requests)
            proxy.cut()
            await proxy.idle()
    copy = await amqp.receive(topology.dead)

    assert copy.message_id == "poison"
    async with (
        simulated_endpoint() as simulator,
        worker_at_work(quick_settings(broker_url, prefix, simulator.base_url, trial.folder)),
        open_requester(broker_url, prefix) as requester,
    ):
        await requester.send(body_of("a cat"), "r0")
        await replies_of(requester, 1)
        assert [post.idempotency_key for post in simulator.record.posts] == ["r0"]


async def take_one(url: str, queue: str) -> None:
    """Take one message as a worker does that dies with it: nothing is settled, nothing is closed."""
    connection = await aio_pika.connect(url)
    channel = await connection.channel()
    arrived: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def take(_: aio_pika.abc.AbstractIncomingMessage) -> None:
        arrived.set_result(None)

    await (await channel.get_queue(queue, ensure=False)).consume(take)
    async with asyncio.timeout(20):
        await arrived


@pytest.mark.pain(16)
async def test_calls_never_exceed_the_concurrency_also_after_reconnects(trial: Trial, broker_url: str) -> None:
    count, cuts = trial.size.of(5_000, 50_000), 3
    async with proxy_to(broker_url) as proxy, open_scene(trial, broker_url, "sqlite") as scene:
        worker = await scene.worker(
            f"sqlite:///{trial.folder}/ledger.db",
            broker_url=with_address(broker_url, port=proxy.port),
            VIDEOGEN_WORKER__CONCURRENCY=f"{CONCURRENCY}",
        )
        publishing = asyncio.create_task(scene.traffic.publish(mostly_quick(count, parts=cuts + 1)))
        for number in range(1, cuts + 1):
            assert await scene.traffic.until_answered(number * count // (cuts + 1), silence=90)
            proxy.cut()
        await publishing
        assert await scene.traffic.all_answered(silence=120)
        reconnects = await worker.metric("videogen_broker_reconnects_total")
        peak = (await scene.endpoint.summary())["peak_in_flight"]

        verdict = await scene.conclude(f"{cuts} reconnects")
    assert (verdict.submitted, peak) == (count, CONCURRENCY)
    assert reconnects >= 2 * cuts


def mostly_quick(count: int, parts: int) -> list[Request]:
    """Begin each part with enough slow calls to fill every slot, and more if there were any."""
    each = count // parts
    slow = {part * each + number for part in range(parts) for number in range(3 * CONCURRENCY)}
    prompts = {True: "a cat [sim: latency=0.5]", False: "a cat"}
    return [request(f"r{number}", prompts[number in slow]) for number in range(count)]


def persistent(name: str) -> aio_pika.Message:
    return aio_pika.Message(body_of("a cat"), message_id=name, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)


async def is_idle(running: Running) -> bool:
    return running.worker.intake.in_flight == 0
