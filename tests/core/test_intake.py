import asyncio
import json
from datetime import datetime, timedelta

from service.core.call import Answer, RefusedForGood
from service.core.delivery import Delivery
from service.core.facts import Joined, Received, Settled
from service.core.ledger import SubmittedRecord
from service.core.outcome import Rejected, Repeated, Submitted
from service.core.outgoing import PublishVerdict, Route
from service.core.placement import (
    AlreadyKnown,
    Finished,
    Obtained,
    RunningElsewhere,
    Withheld,
)
from tests.support.fakes import GUARD, NEW_YEAR, FakeIncoming, Verdict
from tests.support.intake_scene import ANSWERS, BODY, DEAD, TOPOLOGY, WAIT, IntakeScene, RecordingTracing
from tests.support.records import record


def _refused() -> Finished:
    return Finished(RefusedForGood(Answer(400)), attempts=1)


def _incoming() -> FakeIncoming:
    return FakeIncoming(Delivery(BODY, message_id="r", reply_to="answers"))


async def _rounds(count: int = 20) -> None:
    for _ in range(count):
        await asyncio.sleep(0)  # one round of the event loop, no time


async def test_a_request_is_handled_replied_to_and_acked() -> None:
    scene = IntakeScene(Obtained(record("t-1")))

    incoming = scene.accept()
    assert scene.intake.in_flight == 1
    await scene.finished()

    assert incoming.verdict is Verdict.ACKED
    assert len(scene.publisher.at(ANSWERS)) == 1
    assert scene.intake.in_flight == 0


async def test_the_work_on_a_message_and_the_facts_about_it_are_within_its_processing() -> None:
    tracing = RecordingTracing()
    scene = IntakeScene(Obtained(record("t-1")), tracing=tracing)
    scene.caller.hold()
    scene.publisher.go_away()

    scene.accept("one")
    scene.accept("other")
    await scene.caller.wait_for_calls(2)
    assert tracing.entered == ["one", "other"]
    scene.caller.release()
    await scene.publisher.wait_for_waiting(2)
    assert tracing.left == []
    scene.publisher.come_back()
    await scene.finished()

    assert sorted(tracing.left) == ["one", "other"]
    assert [seen for fact, seen in scene.told_within if isinstance(fact, Settled)] == [
        fact.request_id for fact in scene.observer.of(Settled)
    ]


async def test_work_that_is_abandoned_leaves_its_processing() -> None:
    tracing = RecordingTracing()
    scene = IntakeScene(tracing=tracing)
    scene.caller.hold()
    scene.accept()
    await scene.caller.wait_for_calls()

    await scene.intake.abandon()

    assert tracing.left == ["r"]


async def test_the_facts_tell_what_happened_and_how_long_it_took() -> None:
    scene = IntakeScene(Obtained(record("t-1")))
    scene.caller.hold()
    incoming = FakeIncoming(
        Delivery(
            BODY,
            message_id="r",
            correlation_id="c",
            timestamp=NEW_YEAR - timedelta(seconds=7),
            redelivered=True,
        )
    )

    scene.intake.accept(incoming)
    await scene.caller.wait_for_calls()
    scene.clock.advance(3)
    scene.caller.release()
    await scene.finished()

    assert scene.observer.facts == [
        Received(redelivered=True, at=NEW_YEAR, queue_wait=7.0),
        Settled("r", "c", Submitted(record("t-1", "wan", 1)), seconds=3.0, redelivered=True),
    ]


async def test_a_message_from_the_future_waited_for_no_time() -> None:
    scene = IntakeScene()

    scene.intake.accept(FakeIncoming(Delivery(BODY, timestamp=NEW_YEAR + timedelta(days=1))))
    await scene.finished()

    assert scene.observer.of(Received)[0].queue_wait == 0.0


async def test_a_copy_of_a_running_request_joins_it() -> None:
    scene = IntakeScene()
    scene.caller.hold()
    first = scene.accept()
    await scene.caller.wait_for_calls()

    second = scene.accept(redelivered=True)
    scene.caller.release()
    await scene.finished()

    assert len(scene.caller.calls) == 1
    assert (first.verdict, second.verdict) == (Verdict.ACKED, Verdict.ACKED)
    assert len(scene.publisher.at(ANSWERS)) == 1
    assert scene.observer.of(Joined) == [Joined("r", redelivered=True)]
    assert len(scene.observer.of(Settled)) == 1


async def test_a_copy_joins_a_request_whose_result_is_still_being_published() -> None:
    scene = IntakeScene()
    scene.publisher.go_away()
    first = scene.accept()
    await scene.publisher.wait_for_waiting()

    second = scene.accept()
    scene.publisher.come_back()
    await scene.finished()

    assert len(scene.caller.calls) == 1
    assert (first.verdict, second.verdict) == (Verdict.ACKED, Verdict.ACKED)


async def test_a_redelivered_copy_settles_the_request_whose_channel_was_lost() -> None:
    scene = IntakeScene()
    scene.caller.hold()
    first = scene.accept()
    await scene.caller.wait_for_calls()
    first.lose()

    second = scene.accept(redelivered=True)
    scene.caller.release()
    await scene.finished()

    assert (first.verdict, second.verdict) == (None, Verdict.ACKED)
    assert len(scene.caller.calls) == 1


async def test_a_message_without_an_id_never_joins() -> None:
    scene = IntakeScene()
    scene.caller.hold()

    copies = [scene.accept(None), scene.accept(None)]
    await scene.caller.wait_for_calls(2)
    scene.caller.release()
    await scene.finished()

    assert {copy.verdict for copy in copies} == {Verdict.ACKED}
    assert not scene.observer.of(Joined)


async def test_a_duplicate_known_to_the_ledger_is_answered_from_it() -> None:
    record = SubmittedRecord("t-1", "wan", 2, NEW_YEAR - timedelta(hours=1))
    scene = IntakeScene(AlreadyKnown(record))

    scene.accept("r")
    await scene.finished()

    (reply,) = scene.publisher.at(ANSWERS)
    body = json.loads(reply.body)
    assert (body["task_id"], body["model"], body["attempts"]) == ("t-1", "wan", 2)
    assert datetime.fromisoformat(body["submitted_at"]) == record.at
    assert [settled.outcome for settled in scene.observer.of(Settled)] == [Repeated(record)]


async def test_a_request_that_runs_elsewhere_waits_in_a_wait_queue() -> None:
    scene = IntakeScene(RunningElsewhere(seconds=30.0))

    incoming = scene.accept("r")
    await scene.finished()

    (moved,) = scene.publisher.at(WAIT)
    assert moved.message_id == "r"
    assert incoming.verdict is Verdict.ACKED


async def test_an_unreadable_message_is_answered_with_the_task_that_an_earlier_copy_was_paid_for() -> None:
    scene = IntakeScene()
    scene.caller.known["r"] = AlreadyKnown(SubmittedRecord("t-1", "wan", 1, NEW_YEAR))

    scene.accept("r", body=b"no json")
    await scene.finished()

    (reply,) = scene.publisher.at(ANSWERS)
    assert json.loads(reply.body)["task_id"] == "t-1"
    assert not scene.publisher.at(DEAD)


async def test_trying_one_comes_back_when_its_outcome_is_known_not_when_it_is_settled() -> None:
    scene = IntakeScene()
    scene.caller.hold()
    scene.publisher.go_away()
    incoming = _incoming()
    trying = asyncio.ensure_future(scene.intake.try_one(incoming))
    await scene.caller.wait_for_calls()
    await _rounds()
    assert not trying.done()

    scene.caller.release()
    async with asyncio.timeout(GUARD):
        await trying

    assert incoming.untouched
    assert scene.intake.in_flight == 1
    scene.publisher.come_back()
    await scene.finished()
    assert incoming.verdict is Verdict.ACKED


async def test_whoever_gives_up_trying_one_does_not_cut_its_work() -> None:
    scene = IntakeScene()
    scene.caller.hold()
    incoming = _incoming()
    trying = asyncio.ensure_future(scene.intake.try_one(incoming))
    await scene.caller.wait_for_calls()

    trying.cancel()
    await asyncio.gather(trying, return_exceptions=True)
    scene.caller.release()
    await scene.finished()

    assert incoming.verdict is Verdict.ACKED


async def test_trying_one_that_joins_waits_for_the_outcome_of_the_running_request() -> None:
    scene = IntakeScene()
    scene.caller.hold()
    scene.accept("r")
    await scene.caller.wait_for_calls()
    copy = _incoming()

    trying = asyncio.ensure_future(scene.intake.try_one(copy))
    await _rounds()
    assert not trying.done()
    scene.caller.release()
    async with asyncio.timeout(GUARD):
        await trying
    await scene.finished()

    assert copy.verdict is Verdict.ACKED
    assert len(scene.caller.calls) == 1


async def test_trying_one_comes_back_also_where_its_work_is_abandoned() -> None:
    scene = IntakeScene()
    scene.caller.hold()
    trying = asyncio.ensure_future(scene.intake.try_one(_incoming()))
    await scene.caller.wait_for_calls()

    await scene.intake.abandon()

    async with asyncio.timeout(GUARD):
        await trying


async def test_every_copy_of_a_withdrawn_request_leaves_and_another_address_gets_a_message_of_its_own() -> None:
    scene = IntakeScene(Withheld(attempts=0, doubt=False, last=None))
    scene.caller.hold()
    copies = [scene.accept(), scene.accept(redelivered=True), scene.accept(reply_to="others")]
    await scene.caller.wait_for_calls()

    scene.caller.release()
    await scene.finished()

    moved = scene.publisher.at(Route("", TOPOLOGY.requests))
    assert [message.reply_to for message in moved] == ["answers", "others"]
    assert {copy.verdict for copy in copies} == {Verdict.ACKED}


async def test_a_failed_request_leaves_one_dead_copy() -> None:
    scene = IntakeScene(_refused())

    incoming = scene.accept()
    await scene.finished()

    assert len(scene.publisher.at(DEAD)) == 1
    assert incoming.verdict is Verdict.ACKED
    assert [settled.outcome for settled in scene.observer.of(Settled)] == [Rejected(Answer(400), attempts=1)]


async def test_a_parked_result_is_told() -> None:
    scene = IntakeScene()
    scene.publisher.refuse(ANSWERS, PublishVerdict.RETURNED)

    scene.accept()
    await scene.finished()

    assert [settled.parked for settled in scene.observer.of(Settled)] == [True]


async def test_a_thousand_requests_leave_no_task_and_no_job_behind() -> None:
    scene = IntakeScene()
    scene.caller.hold()
    before = asyncio.all_tasks()

    copies = [scene.accept(f"r-{number % 800}", reply_to=f"a-{number}") for number in range(1000)]
    await scene.caller.wait_for_calls(800)
    assert scene.intake.in_flight == 800
    scene.caller.release()
    await scene.finished()

    assert scene.intake.in_flight == 0
    assert asyncio.all_tasks() == before
    assert {copy.verdict for copy in copies} == {Verdict.ACKED}
    assert len(scene.publisher.confirmed) == 1000
