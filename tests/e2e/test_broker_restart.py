"""The broker goes away under load and comes back: nothing lost, nothing paid twice."""

from collections import Counter

import aio_pika

from service.core.facts import LinkDown, LinkRole, Settled
from service.private_broker import Node
from tests.e2e.test_requests import request
from tests.support.broker import amqp_client
from tests.support.running import running_worker, settings_for, simulated_endpoint


async def test_calls_that_finish_while_the_broker_is_away_are_answered_once_and_never_repeated(node: Node) -> None:
    prefix = "restart"
    async with (
        simulated_endpoint() as simulator,
        running_worker(settings_for(node.url, prefix, simulator.base_url, concurrency=32)) as running,
    ):
        async with amqp_client(node.url) as amqp:
            for n in range(100):
                await amqp.publish(
                    f"{prefix}.requests",
                    aio_pika.Message(
                        request("a cat [sim: hold]"),
                        message_id=f"r{n}",
                        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
                    ),
                )
        await simulator.record.wait_in_flight(32)
        await node.kill()
        down = running.facts
        await down.until(lambda: {fact.role for fact in down.of(LinkDown)} == set(LinkRole), guard=30)
        simulator.release(for_good=True)
        await node.start()
        await running.facts.wait_for(Settled, 100, guard=60)
        await running.facts.until(lambda: running.worker.intake.in_flight == 0)

        posts = Counter(post.idempotency_key for post in simulator.record.posts)
        assert posts == {f"r{n}": 1 for n in range(100)}
        async with amqp_client(node.url) as amqp:
            assert await amqp.count(f"{prefix}.results") == 100
            assert await amqp.count(f"{prefix}.requests") == 0
            assert await amqp.count(f"{prefix}.dead") == 0
