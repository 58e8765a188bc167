"""The connection goes away under a client, or the broker does."""

import asyncio
from pathlib import Path

import pytest
from aio_pika import Message
from aio_pika.abc import AbstractIncomingMessage
from pamqp.common import Arguments

from service.client import BadAnswer, Charged, NoAnswer, NotPublished, Replies, Submitted, VideogenClient
from service.core.facts import Joined, LinkDown, Settled
from service.private_broker import Node
from service.private_broker.free_ports import free_ports
from tests.client.plant import MODEL, Plant, has_queue, options_for, plant_at
from tests.support.broker import Amqp
from tests.support.links import proxy_to, with_address
from tests.support.spans import SpanMemory, id_of, named_in, trace_of
from tests.support.tcp_proxy import Way

ANSWER = (
    b'{"request_id": "%s", "status": "submitted", "task_id": "t", "model": "m", "attempts": 1, '
    b'"submitted_at": "2026-01-01T00:00:00Z"}'
)


async def test_an_answer_that_comes_while_the_connection_is_lost_is_not_lost(plant: Plant, replies: Replies) -> None:
    async with plant.client(replies) as client:
        waiting = asyncio.create_task(client.generate(prompt="a cat [sim: hold]", model=MODEL))
        await plant.simulator.record.wait_in_flight(1)
        plant.proxy.close_listening()
        plant.proxy.cut()
        await plant.proxy.idle()
        plant.simulator.release(for_good=True)
        await plant.running.facts.wait_for(Settled)
        assert not waiting.done()
        await plant.proxy.open_listening()
        result = await waiting

    (post,) = plant.simulator.record.posts
    assert result.task_id == post.task_id
    await plant.nothing_left_behind()


async def test_who_leaves_at_once_has_a_direct_answer_in_hand_and_not_in_undelivered_too(
    broker_url: str, prefix: str, tmp_path: Path, amqp: Amqp
) -> None:
    # The worker's look at the requester comes a round trip after the answer.
    async with (
        proxy_to(broker_url) as slow,
        plant_at(with_address(broker_url, port=slow.port), prefix, tmp_path) as plant,
    ):
        slow.delay(0.05)
        async with VideogenClient(broker_url, options_for(prefix, Replies.DIRECT)) as client:
            result = await client.generate(prompt="a cat", model=MODEL)
        await plant.running.facts.wait_for(Settled)

        assert plant.simulator.record.posts[0].task_id == result.task_id
        assert await amqp.count(plant.topology.undelivered) == 0


async def test_a_request_that_is_asked_again_is_one_span_of_its_producer(plant: Plant, spans: SpanMemory) -> None:
    async with plant.client(Replies.DIRECT) as client:
        waiting = asyncio.create_task(client.generate(prompt="a cat [sim: hold]", model=MODEL))
        await plant.simulator.record.wait_in_flight(1)
        plant.proxy.cut()
        await plant.running.facts.wait_for(Joined)
        plant.simulator.release(for_good=True)
        await waiting

    (publish,) = spans.named(f"publish {plant.topology.prefix}:request")
    assert named_in({"traceparent": plant.simulator.record.posts[0].traceparent}) == (trace_of(publish), id_of(publish))


async def test_a_lost_confirm_makes_the_client_publish_again_and_no_second_call(plant: Plant, replies: Replies) -> None:
    async with plant.client(replies) as client:
        await client.generate(prompt="a first one, so that the connection is up", model=MODEL)
        # The next request arrives; its confirm and its answer do not.
        plant.proxy.swallow(Way.TO_CLIENT)
        waiting = asyncio.create_task(client.generate(prompt="a cat", model=MODEL))
        await plant.running.facts.wait_for(Settled, 2)
        plant.proxy.cut()
        result = await waiting

    assert [post.task_id for post in plant.simulator.record.posts][1:] == [result.task_id]
    await plant.nothing_left_behind()


async def test_an_answer_that_went_into_a_dying_connection_comes_again(plant: Plant, replies: Replies) -> None:
    async with plant.client(replies) as client:
        request_id = await client.submit(prompt="a cat [sim: hold]", model=MODEL)
        await plant.simulator.record.wait_in_flight(1)
        plant.proxy.swallow(Way.TO_CLIENT)
        plant.simulator.release(for_good=True)
        await plant.running.facts.wait_for(Settled)
        plant.proxy.cut()
        async with asyncio.timeout(30):
            (answer,) = [answer async for answer in client.results()]

    assert isinstance(answer, Submitted)
    assert answer.request_id == request_id
    assert len(plant.simulator.record.posts) == 1


async def test_a_request_that_was_lost_on_its_way_is_published_again(plant: Plant, replies: Replies) -> None:
    async with plant.client(replies) as client:
        await client.generate(prompt="a first one, so that the connection is up", model=MODEL)
        plant.proxy.swallow(Way.TO_TARGET)
        waiting = asyncio.create_task(client.generate(prompt="a cat", model=MODEL))
        while not any(asked.tried for asked in client._exchange._waiting.values()):  # noqa: ASYNC110 - as below
            await asyncio.sleep(0)
        plant.proxy.cut()
        result = await waiting

    assert [post.task_id for post in plant.simulator.record.posts][1:] == [result.task_id]


async def test_what_is_asked_while_the_broker_is_away_is_sent_when_it_is_back(plant: Plant, replies: Replies) -> None:
    plant.proxy.close_listening()
    async with plant.client(replies) as client:
        generating = asyncio.create_task(client.generate(prompt="a cat", model=MODEL))
        submitting = asyncio.create_task(client.submit(prompt="a dog", model=MODEL))
        while client.pending < 2:  # noqa: ASYNC110 - each turn of the loop lets them begin
            await asyncio.sleep(0)
        await plant.proxy.open_listening()
        result, request_id = await asyncio.gather(generating, submitting)
        answers = [answer async for answer in client.results()]

    assert [answer.request_id for answer in answers] == [request_id]
    assert {result.status, *(type(answer).__name__ for answer in answers)} == {"submitted", Submitted.__name__}
    assert len(plant.simulator.record.posts) == 2


@pytest.mark.parametrize("end", ["stop", "kill"])
async def test_an_answer_waits_for_a_broker_that_is_started_again(
    end: str, node: Node, replies: Replies, tmp_path: Path
) -> None:
    async with plant_at(node.url, f"client-{end}-{replies}", tmp_path) as plant, plant.client(replies) as client:
        submitted = await client.submit(prompt="a dog [sim: hold]", model=MODEL)
        waiting = asyncio.create_task(client.generate(prompt="a cat [sim: hold]", model=MODEL))
        await plant.simulator.record.wait_in_flight(2)
        await (node.stop() if end == "stop" else node.kill())
        await plant.running.facts.wait_for(LinkDown, 2)
        plant.simulator.release(for_good=True)
        await node.start()
        result = await waiting
        (answer,) = [answer async for answer in client.results()]

        assert isinstance(answer, Submitted)
        assert answer.request_id == submitted
        assert sorted(str(post.task_id) for post in plant.simulator.record.posts) == sorted(
            [result.task_id, answer.task_id]
        )


async def test_a_reply_queue_that_is_deleted_is_replaced_and_its_requests_asked_again(plant: Plant, amqp: Amqp) -> None:
    async with plant.client() as client:
        waiting = asyncio.create_task(client.generate(prompt="a cat [sim: hold]", model=MODEL))
        await plant.simulator.record.wait_in_flight(1)
        (name,) = await plant.reply_queues()
        await amqp.channel.queue_delete(name)
        await client.generate(prompt="a dog", model=MODEL)
        plant.simulator.release(for_good=True)
        result = await waiting
        (after,) = await plant.reply_queues()

    assert after != name
    assert result.task_id in [post.task_id for post in plant.simulator.record.posts]
    assert len(plant.simulator.record.posts) == 2
    await plant.nothing_left_behind()


async def test_an_answer_that_comes_twice_is_taken_once(broker_url: str, prefix: str, amqp: Amqp) -> None:
    exchange = await amqp.channel.declare_exchange(prefix, "topic", durable=True)
    queue = await amqp.channel.declare_queue(f"{prefix}.requests", durable=True)
    await queue.bind(exchange, "request")
    async with VideogenClient(broker_url, options_for(prefix)) as client:
        ids = [await client.submit(prompt=prompt, model=MODEL) for prompt in ("a cat", "a dog")]
        requests = [await amqp.receive(queue.name) for _ in ids]
        for request in (requests[0], requests[0], requests[1]):
            body = ANSWER % str(request.message_id).encode()
            answer = Message(body, correlation_id=request.correlation_id)
            await amqp.publish(str(request.reply_to), answer)
        answers = [answer.request_id async for answer in client.results()]

    assert answers == ids


@pytest.mark.parametrize("body", [b"not JSON", b"[]", b"{}", ANSWER % b"another"])
async def test_an_answer_that_is_none_is_told_with_what_it_holds(
    body: bytes, broker_url: str, prefix: str, amqp: Amqp
) -> None:
    exchange = await amqp.channel.declare_exchange(prefix, "topic", durable=True)
    queue = await amqp.channel.declare_queue(f"{prefix}.requests", durable=True)
    await queue.bind(exchange, "request")
    async with VideogenClient(broker_url, options_for(prefix)) as client:
        waiting = asyncio.create_task(client.generate(prompt="a cat", model=MODEL))
        request = await amqp.receive(queue.name)
        await amqp.publish(str(request.reply_to), Message(body, correlation_id=request.correlation_id))
        with pytest.raises(BadAnswer, match="is not a result") as failure:
            await waiting

    assert (failure.value.charged, failure.value.body) == (Charged.UNKNOWN, body)


async def test_a_client_that_was_killed_leaves_a_queue_that_expires(amqp: Amqp, broker_url: str, prefix: str) -> None:
    client = VideogenClient(broker_url, options_for(prefix))
    async with client:
        await client._exchange._publishing.current()
        name = client._exchange._address.name
        assert await has_queue(broker_url, name)
        # As at the end of a process: nobody deletes it.
        with pytest.raises(Exception, match=r"PRECONDITION_FAILED.*x-expires"):
            await amqp.channel.declare_queue(name, durable=True, arguments={"x-expires": 1})


async def test_a_broker_that_stays_away_ends_as_not_published_and_charged_nothing(prefix: str) -> None:
    (port,) = free_ports(1)
    async with VideogenClient(f"amqp://me:secret@127.0.0.1:{port}/", options_for(prefix)) as client:
        with pytest.raises(NotPublished, match="nothing listens at the broker address") as failure:
            await client.generate(prompt="a cat", model=MODEL, timeout=0.5)
        assert client.pending == 0

    assert (failure.value.charged, failure.value.retryable) == (Charged.NO, True)
    assert "secret" not in str(failure.value)


async def test_a_wrong_password_is_told(broker_url: str, prefix: str) -> None:
    async with VideogenClient(with_address(broker_url, login="guest:wrong"), options_for(prefix)) as client:
        with pytest.raises(NotPublished, match="check user, password and virtual host") as failure:
            await client.submit(prompt="a cat", model=MODEL, timeout=3.0)
    assert failure.value.charged is Charged.NO


async def test_a_worker_that_never_declared_its_queues_is_told(broker_url: str, prefix: str) -> None:
    async with VideogenClient(broker_url, options_for(prefix)) as client:
        with pytest.raises(
            NotPublished, match=f"'{prefix}' with its queue '{prefix}.requests' does not exist"
        ) as failure:
            await client.generate(prompt="a cat", model=MODEL)
        assert client.pending == 0
    assert failure.value.charged is Charged.NO


async def test_an_exchange_that_routes_nowhere_is_told(broker_url: str, prefix: str, amqp: Amqp) -> None:
    await amqp.channel.declare_exchange(prefix, "topic", durable=True)
    async with VideogenClient(broker_url, options_for(prefix)) as client:
        with pytest.raises(NotPublished, match=f"'{prefix}' routes to no queue. Start") as failure:
            await client.generate(prompt="a cat", model=MODEL)
    assert failure.value.charged is Charged.NO


async def test_a_full_queue_is_told(broker_url: str, prefix: str, amqp: Amqp) -> None:
    exchange = await amqp.channel.declare_exchange(prefix, "topic", durable=True)
    full: Arguments = {"x-max-length": 1, "x-overflow": "reject-publish"}
    queue = await amqp.channel.declare_queue(f"{prefix}.requests", durable=True, arguments=full)
    await queue.bind(exchange, "request")
    async with VideogenClient(broker_url, options_for(prefix)) as client:
        await client.submit(prompt="a cat", model=MODEL)
        with pytest.raises(NotPublished, match="took no message") as failure:
            await client.submit(prompt="a dog", model=MODEL)
        assert client.pending == 1
    assert (failure.value.charged, failure.value.retryable) == (Charged.NO, True)


async def test_a_request_that_no_worker_takes_is_persistent_and_ends_as_no_answer(
    broker_url: str, prefix: str, amqp: Amqp
) -> None:
    exchange = await amqp.channel.declare_exchange(prefix, "topic", durable=True)
    queue = await amqp.channel.declare_queue(f"{prefix}.requests", durable=True)
    await queue.bind(exchange, "request")
    async with VideogenClient(broker_url, options_for(prefix)) as client:
        with pytest.raises(NoAnswer, match="was published and has no answer within"):
            await client.generate(prompt="a cat", model=MODEL, request_id="mine", traceparent="t", timeout=0.5)
    message: AbstractIncomingMessage = await amqp.receive(f"{prefix}.requests")

    assert (message.message_id, message.delivery_mode, message.content_type) == ("mine", 2, "application/json")
    assert message.headers == {"traceparent": "t"}
    assert message.timestamp is not None
