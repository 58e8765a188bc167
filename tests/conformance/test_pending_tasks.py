"""What port `PendingTasks` promises, shown for every ledger."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from service.adapters.ledger.opening import OpenLedger
from service.core.call import Answer
from service.core.ledger import DoubtRecord, Permit, SubmittedRecord
from service.core.pending_task import Follow, PendingTask
from tests.support.ledgers import LEASE, Stage

FIRST = 5.0
AT = datetime(2026, 1, 1, 12, 30, 15, 123456, tzinfo=UTC)
TASK = PendingTask("cgt:task-1", "r", "wan2.2-t2v-plus", AT, "c", "replies", {"traceparent": "t", "tracestate": "s"})
RECORD = SubmittedRecord(TASK.task_id, TASK.model, 1, AT)
LEASE_SECONDS = LEASE.total_seconds()


async def follow(ledger: OpenLedger, task: PendingTask = TASK, first: float = FIRST) -> None:
    record = SubmittedRecord(task.task_id, task.model, 1, AT)
    await ledger.record(task.request_id, record, Follow(task, first))


async def test_a_task_is_due_after_its_first_wait_and_comes_back_as_it_was_given(
    stage: Stage, ledger: OpenLedger, other: OpenLedger
) -> None:
    await follow(ledger)
    assert await other.tasks.take() is None
    await stage.pass_time(FIRST)
    assert await other.tasks.take() == TASK


async def test_the_record_and_the_task_are_both_there(ledger: OpenLedger, other: OpenLedger) -> None:
    await ledger.claim("r", 1, Permit())
    await follow(ledger)
    assert await other.find("r") == RECORD
    assert await other.tasks.count() == 1


async def test_a_record_without_the_wish_makes_nothing_to_follow(ledger: OpenLedger) -> None:
    await ledger.record("r", RECORD)
    await ledger.record("s", DoubtRecord(Answer(), 1))
    assert await ledger.tasks.count() == 0


async def test_of_two_workers_one_gets_a_task_until_its_lease_ends(
    stage: Stage, ledger: OpenLedger, other: OpenLedger
) -> None:
    await follow(ledger, first=0.0)
    assert await ledger.tasks.take() == TASK
    assert await other.tasks.take() is None
    await stage.pass_time(LEASE_SECONDS)
    assert await other.tasks.take() == TASK


async def test_of_many_who_ask_at_once_each_task_goes_to_one(ledger: OpenLedger, other: OpenLedger) -> None:
    tasks = [replace(TASK, task_id=f"task-{number}", request_id=f"r-{number}") for number in range(20)]
    for task in tasks:
        await follow(ledger, task, first=0.0)
    taken = await asyncio.gather(*(asked.tasks.take() for asked in (ledger, other) for _ in range(15)))
    assert sorted(task.task_id for task in taken if task) == sorted(task.task_id for task in tasks)


async def test_the_task_that_has_been_due_for_longest_is_taken_first(stage: Stage, ledger: OpenLedger) -> None:
    for number, first in enumerate((3.0, 1.0, 2.0, 9.0)):
        await follow(ledger, replace(TASK, task_id=f"task-{number}"), first)
    await stage.pass_time(5.0)
    taken = [await ledger.tasks.take() for _ in range(4)]
    assert [task and task.task_id for task in taken] == ["task-1", "task-2", "task-0", None]


async def test_a_task_that_is_rescheduled_comes_due_then(stage: Stage, ledger: OpenLedger, other: OpenLedger) -> None:
    await follow(ledger, first=0.0)
    await ledger.tasks.take()
    await ledger.tasks.reschedule(TASK.task_id, 20.0)
    await stage.pass_time(19.0)
    assert await other.tasks.take() is None
    await stage.pass_time(1.0)
    assert await other.tasks.take() == TASK


async def test_a_task_that_is_done_is_followed_no_longer(stage: Stage, ledger: OpenLedger, other: OpenLedger) -> None:
    await follow(ledger, first=0.0)
    await ledger.tasks.done(TASK.task_id)
    await stage.pass_time(LEASE_SECONDS)
    assert await other.tasks.take() is None
    assert await other.tasks.count() == 0
    assert await ledger.find("r") == RECORD


async def test_a_task_that_is_done_is_not_brought_back_by_a_late_reschedule(
    stage: Stage, ledger: OpenLedger, other: OpenLedger
) -> None:
    await follow(ledger, first=0.0)
    await ledger.tasks.done(TASK.task_id)
    await other.tasks.reschedule(TASK.task_id, 0.0)
    await other.tasks.done(TASK.task_id)
    await stage.pass_time(LEASE_SECONDS)
    assert await ledger.tasks.take() is None
    assert await ledger.tasks.count() == 0


async def test_a_record_that_is_told_twice_leaves_the_task_as_it_is(stage: Stage, ledger: OpenLedger) -> None:
    await follow(ledger, first=0.0)
    await ledger.tasks.take()
    await follow(ledger, first=0.0)
    assert await ledger.tasks.take() is None
    assert await ledger.tasks.count() == 1
    await stage.pass_time(LEASE_SECONDS)
    assert await ledger.tasks.take() == TASK


async def test_two_tasks_of_one_request_are_both_followed(ledger: OpenLedger) -> None:
    second = replace(TASK, task_id="task-2")
    await follow(ledger, first=0.0)
    await follow(ledger, second, first=0.0)
    taken = [await ledger.tasks.take() for _ in range(3)]
    assert {task and task.task_id for task in taken} == {"cgt:task-1", "task-2", None}


async def test_tasks_are_there_after_a_restart(stage: Stage, ledger: OpenLedger) -> None:
    async with stage.open("c") as earlier:
        await follow(earlier, first=0.0)
    assert await ledger.tasks.take() == TASK


async def test_a_task_outlives_the_record_of_its_request(stage: Stage, ledger: OpenLedger) -> None:
    await follow(ledger, first=0.0)
    await stage.end_retention()
    assert await ledger.find("r") is None
    assert await ledger.tasks.take() == TASK


async def test_prefixes_keep_tasks_apart(stage: Stage, ledger: OpenLedger) -> None:
    await follow(ledger, first=0.0)
    async with stage.open("c", prefix="q") as elsewhere:
        assert await elsewhere.tasks.take() is None
        assert await elsewhere.tasks.count() == 0
        await elsewhere.tasks.done(TASK.task_id)
    assert await ledger.tasks.take() == TASK


@pytest.mark.parametrize("text", ["", "\0", "ä b:c", "\ud800", "'\"\\", "x" * 10_000])
async def test_any_text_of_a_producer_comes_back(ledger: OpenLedger, text: str) -> None:
    task = replace(TASK, request_id=text, correlation_id=text, reply_to=text, trace={})
    await follow(ledger, task, first=0.0)
    assert await ledger.tasks.take() == task


async def test_a_task_without_a_reply_queue_has_none(ledger: OpenLedger) -> None:
    task = replace(TASK, reply_to=None)
    await follow(ledger, task, first=0.0)
    assert await ledger.tasks.take() == task


async def test_who_is_cancelled_takes_no_task_along(stage: Stage, ledger: OpenLedger) -> None:
    await follow(ledger, first=0.0)
    asking = asyncio.create_task(ledger.tasks.take())
    await asyncio.sleep(0)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    await stage.pass_time(LEASE_SECONDS)
    assert await ledger.tasks.take() == TASK
