"""A client, a real broker, a real worker and a simulated endpoint."""

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta

import aio_pika
import pytest

from service.client import (
    Charged,
    ClientClosed,
    ErrorCode,
    NoAnswer,
    Replies,
    Request,
    RequestFailed,
    Submitted,
    VideogenClient,
    VideogenError,
)
from service.core.facts import Settled
from tests.client.plant import MODEL, Plant, options_for
from tests.support.broker import Amqp


async def test_a_request_gets_its_task_id(plant: Plant, replies: Replies) -> None:
    async with plant.client(replies) as client:
        result = await client.generate(prompt="a cat", model=MODEL, size="832x480", watermark=False)

    (post,) = plant.simulator.record.posts
    assert (result.task_id, result.model, result.attempts) == (post.task_id, MODEL, 1)
    assert result.request_id == post.idempotency_key
    assert post.body == {"prompt": "a cat", "model": MODEL, "size": "832*480", "watermark": False}


async def test_a_completion_in_the_reply_queue_is_no_answer(plant: Plant, amqp: Amqp) -> None:
    async with plant.client() as client:
        waiting = asyncio.create_task(client.generate(prompt="a cat [sim: hold]", model=MODEL))
        await plant.simulator.record.wait_in_flight(1)
        (name,) = await plant.reply_queues()
        (post,) = plant.simulator.record.posts
        (correlation_id,) = client._exchange._waiting
        completion = aio_pika.Message(b"{}", correlation_id=correlation_id, type="videogen.completion.v1")
        await amqp.publish(name, completion)
        plant.simulator.release(for_good=True)

        assert (await waiting).task_id == post.task_id


async def test_a_request_tells_trace_and_deadline(plant: Plant) -> None:
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    async with plant.client() as client:
        await client.generate(prompt="a cat", model=MODEL, traceparent=trace, deadline=timedelta(minutes=1))
        with pytest.raises(RequestFailed) as failure:
            await client.generate(prompt="a dog", model=MODEL, deadline=datetime.now(UTC) - timedelta(seconds=1))

    assert (failure.value.code, failure.value.retryable) == (ErrorCode.EXPIRED, True)
    assert len(plant.simulator.record.posts) == 1


async def test_a_field_that_the_client_does_not_know_is_the_workers_to_judge(plant: Plant) -> None:
    async with plant.client() as client:
        with pytest.raises(RequestFailed) as failure:
            await client.generate(prompt="a cat", model=MODEL, extra={"sise": "832x480"})

    assert failure.value.code is ErrorCode.INVALID_REQUEST
    assert [problem.field for problem in failure.value.details] == ["sise"]


@pytest.mark.parametrize(
    ("prompt", "code", "retryable", "charged"),
    [
        ("a cat [sim: 400 code=DataInspectionFailed]", ErrorCode.REJECTED, False, Charged.NO),
        ("a cat [sim: 429 x99]", ErrorCode.RATE_LIMITED, True, Charged.NO),
        ("a cat [sim: 503 x99]", ErrorCode.UNAVAILABLE, True, Charged.NO),
        ("a cat [sim: accept-then-502]", ErrorCode.UNCERTAIN, False, Charged.UNKNOWN),
        (" ", ErrorCode.INVALID_REQUEST, False, Charged.NO),
    ],
)
async def test_an_error_of_the_worker_is_raised_with_what_it_says(
    prompt: str,
    code: ErrorCode,
    retryable: bool,  # noqa: FBT001 - a column of the table
    charged: Charged,
    plant: Plant,
) -> None:
    async with plant.client() as client:
        with pytest.raises(RequestFailed) as failure:
            await client.generate(prompt=prompt, model=MODEL, request_id="mine")

    told = failure.value
    assert (told.code, told.retryable, told.charged, told.request_id) == (code, retryable, charged, "mine")
    assert str(told) == f"{code}: {told.text}"


async def test_the_same_request_id_gets_the_same_task_id_and_no_second_call(plant: Plant, replies: Replies) -> None:
    async with plant.client(replies) as client:
        first = await client.generate(prompt="a cat", model=MODEL, request_id="mine")
    async with plant.client(replies) as client:
        second = await client.generate(prompt="a cat", model=MODEL, request_id="mine")

    assert second == first
    assert len(plant.simulator.record.posts) == 1


async def test_what_was_submitted_is_answered_by_results_and_an_error_is_a_value(plant: Plant) -> None:
    async with plant.client() as client:
        good = await client.submit(prompt="a cat", model=MODEL)
        bad = await client.submit(prompt="a cat", model="no such model")
        answers = {answer.request_id: answer async for answer in client.results()}
        again = [answer async for answer in client.results()]

    assert answers.keys() == {good, bad}
    assert isinstance(answers[good], Submitted)
    assert isinstance(answers[bad], RequestFailed)
    assert again == []


async def test_results_without_end_end_with_the_client(plant: Plant) -> None:
    async with plant.client() as client:
        reading = asyncio.create_task(collected(client))
        first = await client.submit(prompt="a cat", model=MODEL)
        await plant.running.facts.wait_for(Settled, 1)
        second = await client.submit(prompt="a dog", model=MODEL)
        await plant.running.facts.wait_for(Settled, 2)
        while client.pending:  # noqa: ASYNC110 - the answers are on their way
            await asyncio.sleep(0.01)

    answers = await reading
    assert set(answers) == {first, second}


async def collected(client: VideogenClient) -> list[str]:
    return [answer.request_id async for answer in client.results(forever=True)]


async def test_many_requests_are_bounded_and_each_is_answered_once(plant: Plant, replies: Replies) -> None:
    requests = [Request(prompt=f"scene {number} [sim: hold]", model=MODEL) for number in range(150)]
    async with plant.client(replies) as client:
        collecting = asyncio.create_task(all_of(client, requests))
        await plant.simulator.record.wait_in_flight(10)
        assert client.pending == 10
        plant.simulator.release(for_good=True)
        answers = await collecting

    assert sorted(answer.request_id for answer in answers) == sorted(request.request_id for request in requests)
    assert {type(answer) for answer in answers} == {Submitted}
    assert plant.simulator.record.peak == 10


async def all_of(client: VideogenClient, requests: list[Request]) -> list[Submitted | VideogenError]:
    return [answer async for answer in client.generate_many(iter(requests), concurrency=10)]


async def test_a_request_that_cannot_be_sent_ends_many_after_the_answers_to_those_under_way(plant: Plant) -> None:
    requests = [Request(prompt=f"scene {number} [sim: hold]", model=MODEL) for number in range(5)]
    twin = Request(prompt="the same id", model=MODEL, request_id=requests[0].request_id)
    answers: list[Submitted | VideogenError] = []
    async with plant.client() as client:

        async def collect() -> None:
            async for answer in client.generate_many([*requests, twin], concurrency=6):
                answers.append(answer)  # noqa: PERF401 - what came before the error counts

        collecting = asyncio.create_task(collect())
        await plant.simulator.record.wait_in_flight(5)
        plant.simulator.release(for_good=True)
        with pytest.raises(ValueError, match=str(twin.request_id)):
            await collecting

    assert sorted(answer.request_id for answer in answers) == sorted(request.request_id for request in requests)


async def test_whoever_leaves_many_requests_cancels_the_rest(plant: Plant) -> None:
    requests = [Request(prompt=f"scene {number}", model=MODEL) for number in range(20)]
    requests += [Request(prompt="a cat [sim: hold]", model=MODEL) for _ in range(20)]
    async with plant.client() as client:
        # Less than the wait of each request.
        async with (
            asyncio.timeout(15),
            contextlib.aclosing(client.generate_many(requests, concurrency=30)) as answers,
        ):
            async for _ in answers:
                break
        assert client.pending == 0
        plant.simulator.release(for_good=True)
    await plant.nothing_left_behind()


async def test_a_wait_that_is_over_says_what_to_do_and_leaves_nothing_behind(plant: Plant, replies: Replies) -> None:
    async with plant.client(replies) as client:
        with pytest.raises(NoAnswer, match="same request_id is safe") as failure:
            await client.generate(prompt="a cat [sim: hold]", model=MODEL, timeout=1.0)
        assert (failure.value.retryable, failure.value.charged) == (True, Charged.UNKNOWN)
        assert client.pending == 0
        plant.simulator.release(for_good=True)
        later = await client.generate(
            prompt="a cat [sim: hold]", model=MODEL, request_id=failure.value.request_id, timeout=20
        )

    (post,) = plant.simulator.record.posts
    assert later.task_id == post.task_id
    await plant.nothing_left_behind()


async def test_a_cancelled_wait_leaves_nothing_behind(plant: Plant, replies: Replies) -> None:
    async with plant.client(replies) as client:
        waiting = asyncio.create_task(client.generate(prompt="a cat [sim: hold]", model=MODEL))
        await plant.simulator.record.wait_in_flight(1)
        waiting.cancel()
        await asyncio.wait({waiting})
        assert waiting.cancelled()
        assert client.pending == 0
        plant.simulator.release(for_good=True)
    await plant.nothing_left_behind()


async def test_closing_ends_every_wait_and_deletes_the_queue(plant: Plant, replies: Replies) -> None:
    async with plant.client(replies) as client:
        waiting = asyncio.create_task(client.generate(prompt="a cat [sim: hold]", model=MODEL))
        await plant.simulator.record.wait_in_flight(1)
        assert len(await plant.reply_queues()) == (replies is Replies.QUEUE)
    with pytest.raises(ClientClosed, match="same request_id") as failure:
        await waiting
    plant.simulator.release(for_good=True)

    assert failure.value.charged is Charged.UNKNOWN
    with pytest.raises(ClientClosed):
        await client.generate(prompt="a cat", model=MODEL)
    await plant.nothing_left_behind()


async def test_a_request_that_waits_already_is_refused(plant: Plant) -> None:
    async with plant.client() as client:
        waiting = asyncio.create_task(client.generate(prompt="a cat [sim: hold]", model=MODEL, request_id="mine"))
        await plant.simulator.record.wait_in_flight(1)
        with pytest.raises(ValueError, match="mine waits for its answer already"):
            await client.generate(prompt="a cat", model=MODEL, request_id="mine")
        plant.simulator.release(for_good=True)
        assert (await waiting).request_id == "mine"


@pytest.mark.parametrize("url", ["http://localhost", "nonsense", "amqp:///"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="must look like amqp://"):
        VideogenClient(url)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"prompt": "a cat"}, "model"),
        ({"prompt": 7, "model": MODEL}, "prompt"),
        ({"prompt": "a", "model": MODEL, "seed": "7"}, "seed"),
        ({"prompt": "a", "model": MODEL, "promt": "b"}, "promt"),
        ({"prompt": "a", "model": MODEL, "request_id": ""}, "request_id"),
        ({"prompt": "a", "model": MODEL, "request_id": "ü" * 128}, "255 bytes"),
        ({"prompt": "a", "model": MODEL, "extra": {"b": object()}}, "extra"),
        ({"prompt": "a", "model": MODEL, "deadline": datetime(2026, 1, 1)}, "deadline"),  # noqa: DTZ001 - without a zone
    ],
)
async def test_a_wrong_argument_is_named_before_anything_is_sent(fields: dict[str, object], says: str) -> None:
    async with VideogenClient("amqp://127.0.0.1:9/", options_for("nobody")) as client:
        with pytest.raises(ValueError, match=says):
            await client.generate(**fields)  # type: ignore[arg-type] # that is the point
        assert client.pending == 0
