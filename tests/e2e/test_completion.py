"""Tasks that are followed to their end, through the whole worker: broker, endpoint and ledger are real."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import aio_pika
import pytest
from aio_pika.abc import AbstractIncomingMessage

from service.adapters.catalogue_file import load_catalogue
from service.core.facts import Settled
from service.core.task_facts import QueriesHeld, TaskCompleted, TaskPolled
from service.core.task_query import QueryClass
from service.core.topology import Topology
from service.exit_status import ExitStatus
from service.schema import asyncapi_document
from service.settings import Settings, TrackingSettings, WorkerSettings
from tests.client.plant import has_queue
from tests.contract.test_real_messages import assert_as_documented
from tests.e2e.test_requests import request
from tests.support.broker import Amqp
from tests.support.running import Running, running_worker, settings_for, simulated_endpoint

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
# No task that a test waits for takes longer than a few of these.
FAST = TrackingSettings(enabled=True, max_rps=50, first=0.2, cap=0.5)


def followed(
    broker_url: str, prefix: str, base_url: str, *, ledger: str = "none", tracking: TrackingSettings = FAST
) -> Settings:
    # A task that was being asked for when its worker ended comes due again after four seconds.
    worker = WorkerSettings(concurrency=20, patience=2.0)
    settings = settings_for(broker_url, prefix, base_url, ledger=ledger, timeout=2.0, worker=worker)
    return settings.model_copy(update={"tracking": tracking})


async def ask_for(amqp: Amqp, prefix: str, directive: str, name: str = "r1", reply_to: str | None = None) -> None:
    message = aio_pika.Message(
        request(f"a cat {directive}"),
        message_id=name,
        correlation_id=f"c-{name}",
        reply_to=reply_to,
        headers={"traceparent": TRACE},
    )
    await amqp.publish(f"{prefix}.requests", message)


def body_of(message: AbstractIncomingMessage) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(message.body)
    return body


async def polled(running: Running, result: QueryClass, count: int = 1) -> None:
    await running.facts.until(
        lambda: sum(fact.result is result for fact in running.facts.of(TaskPolled)) >= count, guard=20
    )


@pytest.mark.parametrize(
    ("directive", "message_name", "fields"),
    [
        ("[sim: task-seconds=0.3]", "taskSucceeded", {"status": "succeeded"}),
        ('[sim: task-fails="no good" task-seconds=0.3]', "taskFailed", {"status": "failed", "reason": "no good"}),
    ],
)
async def test_the_end_of_a_task_is_told_at_the_default_queue_as_the_document_says(
    directive: str, message_name: str, fields: dict[str, str], broker_url: str, prefix: str, amqp: Amqp
) -> None:
    async with (
        simulated_endpoint() as simulator,
        running_worker(followed(broker_url, prefix, simulator.base_url)),
    ):
        await ask_for(amqp, prefix, directive)
        result = body_of(await amqp.receive(f"{prefix}.results"))
        completion = await amqp.receive(f"{prefix}.completions")

    body = body_of(completion)
    assert (completion.exchange, completion.routing_key) == (prefix, f"completion.{fields['status']}")
    assert {name: body[name] for name in fields} == fields
    assert {name: body[name] for name in ("request_id", "task_id", "model", "submitted_at")} == {
        name: result[name] for name in ("request_id", "task_id", "model", "submitted_at")
    }
    if body["status"] == "succeeded":
        assert body["urls"] == [f"https://results.invalid/{result['task_id'].replace(':', '-')}.mp4"]
    assert (completion.correlation_id, completion.headers["traceparent"]) == ("c-r1", TRACE)
    document = asyncapi_document(Topology(prefix), load_catalogue(None), "1")
    assert_as_documented(document, message_name, completion)


async def test_the_end_of_a_task_is_told_to_the_queue_that_the_request_named(
    broker_url: str, prefix: str, amqp: Amqp
) -> None:
    async with (
        simulated_endpoint() as simulator,
        running_worker(followed(broker_url, prefix, simulator.base_url)),
    ):
        replies = await amqp.channel.declare_queue(f"{prefix}.mine", durable=True)
        await ask_for(amqp, prefix, "[sim: task-seconds=0]", reply_to=replies.name)
        told = [await amqp.receive(replies.name) for _ in range(2)]
        await amqp.channel.queue_delete(replies.name)

    assert {message.type for message in told} == {"videogen.result.v1", "videogen.completion.v1"}
    assert {message.correlation_id for message in told} == {"c-r1"}


async def test_a_completion_whose_queue_is_gone_is_kept(broker_url: str, prefix: str, amqp: Amqp) -> None:
    async with (
        simulated_endpoint() as simulator,
        running_worker(followed(broker_url, prefix, simulator.base_url)) as running,
    ):
        await ask_for(amqp, prefix, "[sim: task-seconds=0]", reply_to="nobody")
        (completed,) = await running.facts.wait_for(TaskCompleted, guard=20)
        kept = [await amqp.receive(f"{prefix}.undelivered") for _ in range(2)]

    assert completed.parked
    assert {message.type for message in kept} == {"videogen.result.v1", "videogen.completion.v1"}
    assert [message.headers["x-original-reply-to"] for message in kept] == ["nobody"] * 2


async def test_a_task_that_the_endpoint_never_knew_is_lost_after_its_time(
    broker_url: str, prefix: str, amqp: Amqp
) -> None:
    tracking = TrackingSettings(enabled=True, max_rps=50, first=0.2, cap=0.5, lost_after=2.0)
    async with (
        simulated_endpoint() as simulator,
        running_worker(followed(broker_url, prefix, simulator.base_url, tracking=tracking)),
    ):
        await ask_for(amqp, prefix, "[sim: task-missing]")
        completion = await amqp.receive(f"{prefix}.completions")

    assert completion.routing_key == "completion.lost"
    assert "did not know the task" in body_of(completion)["reason"]


async def test_a_restart_goes_on_with_the_tasks_that_are_followed(
    broker_url: str, prefix: str, amqp: Amqp, tmp_path: Path
) -> None:
    ledger = f"sqlite:///{tmp_path}/ledger.db"
    async with simulated_endpoint() as simulator:
        settings = followed(broker_url, prefix, simulator.base_url, ledger=ledger)
        async with running_worker(settings) as first:
            await ask_for(amqp, prefix, "[sim: task-seconds=3]")
            await polled(first, QueryClass.UNDER_WAY)
            assert await first.stop() is ExitStatus.OK
            assert first.facts.of(TaskCompleted) == []
        async with running_worker(settings) as second:
            (completed,) = await second.facts.wait_for(TaskCompleted, guard=30)
        completion = await amqp.receive(f"{prefix}.completions")

    assert body_of(completion)["task_id"] == completed.task_id
    assert len(simulator.record.posts) == 1


async def test_a_refused_query_pauses_queries_and_no_submission(broker_url: str, prefix: str, amqp: Amqp) -> None:
    async with (
        simulated_endpoint() as simulator,
        running_worker(followed(broker_url, prefix, simulator.base_url)) as running,
    ):
        simulator.switches.begin_query_outage("429 retry-after=2")
        await ask_for(amqp, prefix, "[sim: task-seconds=0]", "r1")
        (held,) = await running.facts.wait_for(QueriesHeld, guard=20)
        for number in range(2, 12):
            await ask_for(amqp, prefix, "[sim: task-seconds=0]", f"r{number}")
        await running.facts.wait_for(Settled, 11, guard=20)
        simulator.switches.end_query_outage()
        await running.facts.wait_for(TaskCompleted, 11, guard=30)

    assert held.seconds == pytest.approx(2.0, abs=0.1)
    assert [post.status for post in simulator.record.posts] == [200] * 11


async def test_two_workers_tell_the_end_of_each_task_once(
    broker_url: str, prefix: str, amqp: Amqp, tmp_path: Path
) -> None:
    async with simulated_endpoint() as simulator:
        settings = followed(broker_url, prefix, simulator.base_url, ledger=f"sqlite:///{tmp_path}/ledger.db")
        async with running_worker(settings) as one, running_worker(settings) as other:
            for number in range(30):
                await ask_for(amqp, prefix, "[sim: task-seconds=0.5]", f"r{number}")
            told = [body_of(await amqp.receive(f"{prefix}.completions"))["task_id"] for _ in range(30)]
            await one.stop()
            await other.stop()
        assert await amqp.count(f"{prefix}.completions") == 0

    assert sorted(told) == sorted(str(post.task_id) for post in simulator.record.posts)


async def test_without_the_setting_nobody_asks_and_nothing_is_kept_or_made(
    broker_url: str, prefix: str, amqp: Amqp, tmp_path: Path
) -> None:
    ledger = tmp_path / "ledger.db"
    async with (
        simulated_endpoint() as simulator,
        running_worker(settings_for(broker_url, prefix, simulator.base_url, ledger=f"sqlite:///{ledger}")) as running,
    ):
        await ask_for(amqp, prefix, "[sim: task-seconds=0]")
        await amqp.receive(f"{prefix}.results")
        assert "tracking" not in running.worker.background
        assert not await has_queue(broker_url, f"{prefix}.completions")

    assert not simulator.queries
    with closing(sqlite3.connect(ledger)) as connection:
        assert connection.execute("SELECT count(*) FROM entry").fetchone() == (1,)
        assert connection.execute("SELECT count(*) FROM task").fetchone() == (0,)
