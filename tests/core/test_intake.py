import asyncio
import json
from datetime import datetime, timedelta

import pytest

from service.core.call import Accepted, Answer, RefusedForGood, Uncertain, UncertainReason
from service.core.delivery import Delivery
from service.core.facts import DefectFound, Joined, Received, Settled, SettlementAbandoned
from service.core.ledger import DoubtRecord, SubmittedRecord
from service.core.outcome import InDoubt, Interrupted, Rejected, Repeated, Submitted
from service.core.outgoing import PublishVerdict, Route
from service.core.placement import (
    AlreadyKnown,
    DeadlinePassed,
    Finished,
    GivenBack,
    Placed,
    RunningElsewhere,
    Withheld,
)
from tests.support.fakes import GUARD, NEW_YEAR, FakeIncoming, Verdict
from tests.support.intake_scene import ANSWERS, BODY, DEAD, TOPOLOGY, IntakeScene

WAIT = Route("", "videogen.retry.1m")


def _refused() -> Finished:
    return Finished(RefusedForGood(Answer(400)), attempts=1)


def _incoming() -> FakeIncoming:
    return FakeIncoming(Delivery(BODY, message_id="r", reply_to="answers"))


async def _rounds(count: int = 20) -> None:
    for _ in range(count):
        await asyncio.sleep(0)  # one round of the event loop, no time


async def test_a_request_is_handled_replied_to_and_acked() -> None:
    scene = IntakeScene(Finished(Accepted("t-1"), attempts=1))

    incoming = scene.accept()
    assert scene.intake.in_flight == 1
    await scene.finished()

    assert incoming.verdict is Verdict.ACKED
    assert len(scene.publisher.at(ANSWERS)) == 1
    assert scene.intake.in_flight == 0


async def test_the_facts_tell_what_happened_and_how_long_it_took() -> None:
    scene = IntakeScene(Finished(Accepted("t-1"), attempts=1))
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
        Settled("r", "c", Submitted("t-1", "wan", 1), seconds=3.0, redelivered=True),
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


async def test_a_message_whose_ack_was_lost_gets_the_same_answer_again_without_a_call() -> None:
    scene = IntakeScene()
    scene.accept("r").lose()
    await scene.finished()
    scene.clock.advance(60)

    late = scene.accept("r", redelivered=True)
    await scene.finished()

    assert len(scene.caller.calls) == 1
    first, second = scene.publisher.at(ANSWERS)
    assert first.body == second.body
    assert late.verdict is Verdict.ACKED
    assert len(scene.observer.of(Settled)) == 1
    assert scene.observer.of(Joined) == [Joined("r", redelivered=True)]


async def test_a_request_that_is_published_anew_is_looked_up_in_the_ledger() -> None:
    record = SubmittedRecord("task-1", "wan", 1, NEW_YEAR)
    scene = IntakeScene(Finished(Accepted("task-1"), attempts=1), AlreadyKnown(record))
    scene.accept("r")
    await scene.finished()

    scene.accept("r")
    await scene.finished()

    assert [settled.outcome for settled in scene.observer.of(Settled)] == [
        Submitted("task-1", "wan", attempts=1),
        Repeated(record),
    ]


FAILURES = [
    Finished(Uncertain(UncertainReason.TIMEOUT, Answer()), attempts=1),
    Finished(RefusedForGood(Answer(400)), attempts=1),
    DeadlinePassed(attempts=1),
]


@pytest.mark.parametrize("failure", FAILURES, ids=repr)
async def test_a_failure_that_was_told_is_told_again_and_never_contradicted_by_another_call(failure: Placed) -> None:
    scene = IntakeScene(failure, Finished(Accepted("contradiction"), attempts=1))
    scene.accept("r").lose()
    await scene.finished()

    late = scene.accept("r", redelivered=True)
    await scene.finished()

    assert len(scene.caller.calls) == 1
    first, second = scene.publisher.at(ANSWERS)
    assert first.body == second.body
    assert len(scene.publisher.at(DEAD)) == 2
    assert late.verdict is Verdict.ACKED


async def test_every_copy_of_a_request_is_recalled_not_only_the_first() -> None:
    scene = IntakeScene()
    scene.caller.hold()
    scene.accept()
    await scene.caller.wait_for_calls()
    scene.accept(reply_to="others").lose()
    scene.caller.release()
    await scene.finished()

    scene.accept(reply_to="others", redelivered=True)
    await scene.finished()

    assert len(scene.caller.calls) == 1
    assert len(scene.publisher.at(Route("", "others"))) == 2


async def test_another_message_of_the_same_request_is_not_taken_for_the_one_that_was_answered() -> None:
    scene = IntakeScene(_refused(), Finished(Accepted("t-2"), attempts=1))
    scene.accept("r", reply_to="answers")
    await scene.finished()

    scene.accept("r", reply_to="others", redelivered=True)
    await scene.finished()

    assert len(scene.caller.calls) == 2


async def test_a_request_in_doubt_that_is_published_anew_is_looked_up_in_the_ledger() -> None:
    scene = IntakeScene(
        Finished(Uncertain(UncertainReason.TIMEOUT, Answer()), attempts=1), AlreadyKnown(DoubtRecord(Answer(504), 1))
    )
    scene.accept("r")
    await scene.finished()

    again = scene.accept("r")
    await scene.finished()

    assert again.verdict is Verdict.ACKED
    assert [settled.outcome for settled in scene.observer.of(Settled)] == [
        InDoubt(Answer(), attempts=1),
        InDoubt(Answer(504), attempts=1),
    ]


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


async def test_a_message_that_moved_and_whose_ack_was_lost_is_only_acked() -> None:
    scene = IntakeScene(RunningElsewhere(seconds=30.0))
    scene.accept("r").lose()
    await scene.finished()

    late = scene.accept("r", redelivered=True)
    await scene.finished()

    assert late.verdict is Verdict.ACKED
    assert len(scene.publisher.at(WAIT)) == 1
    assert len(scene.caller.calls) == 1


async def test_a_message_that_could_not_move_moves_when_it_comes_again() -> None:
    scene = IntakeScene(RunningElsewhere(seconds=30.0))
    scene.publisher.refuse(WAIT, PublishVerdict.NACKED)
    first = scene.accept("r")
    await scene.finished()
    assert first.verdict is Verdict.HANDED_BACK

    scene.publisher.refuse(WAIT, PublishVerdict.CONFIRMED)
    again = scene.accept("r", redelivered=True)
    await scene.finished()

    assert again.verdict is Verdict.ACKED
    assert len(scene.publisher.at(WAIT)) == 1


async def test_a_message_that_circles_in_its_own_queue_is_never_acked_for_the_one_that_it_was_before() -> None:
    scene = IntakeScene(Withheld(attempts=0, doubt=False, last=None))
    incoming = scene.accept("r")
    await scene.finished()

    for lap in range(1, 4):
        assert incoming.verdict is Verdict.ACKED
        moved = scene.publisher.at(Route("", TOPOLOGY.requests))
        assert len(moved) == lap
        # Another worker handed it back, or lost its connection, before we get it.
        incoming = FakeIncoming(
            Delivery(
                moved[-1].body,
                message_id=moved[-1].message_id,
                reply_to=moved[-1].reply_to,
                headers=moved[-1].headers or {},
                redelivered=True,
            )
        )
        scene.intake.accept(incoming)
        await scene.finished()


async def test_a_message_that_was_handed_back_is_worked_on_when_it_comes_again() -> None:
    scene = IntakeScene(GivenBack(attempts=0), Finished(Accepted("t-1"), attempts=1))
    scene.accept("r")
    await scene.finished()

    again = scene.accept("r", redelivered=True)
    await scene.finished()

    assert again.verdict is Verdict.ACKED
    assert len(scene.caller.calls) == 2


async def test_a_forced_replay_runs_after_the_request_that_does_not_know_of_it() -> None:
    scene = IntakeScene()
    scene.caller.hold()
    scene.accept("r")
    await scene.caller.wait_for_calls()
    replay = scene.accept("r", replay="copy-1")
    await _rounds()
    assert len(scene.caller.calls) == 1

    scene.caller.release()
    await scene.finished()

    assert [call.replay for call in scene.caller.calls] == [None, "copy-1"]
    assert replay.verdict is Verdict.ACKED
    assert not scene.observer.of(Joined)
    assert len(scene.observer.of(Settled)) == 2


async def test_a_forced_replay_waits_until_the_request_before_it_is_settled() -> None:
    scene = IntakeScene()
    scene.publisher.go_away()
    scene.accept("r")
    await scene.publisher.wait_for_waiting()
    scene.accept("r", replay="copy-1")
    await _rounds()
    assert len(scene.caller.calls) == 1

    scene.publisher.come_back()
    await scene.finished()

    assert len(scene.caller.calls) == 2


async def test_another_replay_does_not_join_either_and_each_is_called_with_its_own_permit() -> None:
    scene = IntakeScene()
    scene.caller.hold()
    scene.accept("r", replay="copy-1")
    await scene.caller.wait_for_calls()
    scene.accept("r", replay="copy-2")
    scene.accept("r", replay="copy-3")

    scene.caller.release()
    await scene.finished()

    assert [call.replay for call in scene.caller.calls] == ["copy-1", "copy-2", "copy-3"]


@pytest.mark.parametrize("replay", ["copy-1", None], ids=["the same replay", "no replay"])
async def test_a_copy_that_allows_no_more_than_the_running_replay_joins_it(replay: str | None) -> None:
    scene = IntakeScene()
    scene.caller.hold()
    scene.accept("r", replay="copy-1")
    await scene.caller.wait_for_calls()

    copy = scene.accept("r", replay=replay)
    scene.caller.release()
    await scene.finished()

    assert len(scene.caller.calls) == 1
    assert copy.verdict is Verdict.ACKED
    assert scene.observer.of(Joined) == [Joined("r", redelivered=False)]


async def test_a_replay_that_was_held_back_is_handed_back_where_the_drain_began_meanwhile() -> None:
    scene = IntakeScene()
    scene.caller.hold()
    scene.accept("r")
    await scene.caller.wait_for_calls()
    replay = scene.accept("r", replay="copy-1")

    scene.drain.begin()
    scene.caller.release()
    await scene.finished()

    assert replay.verdict is Verdict.HANDED_BACK
    assert len(scene.caller.calls) == 1


async def test_a_replay_that_was_held_back_is_abandoned_by_name() -> None:
    scene = IntakeScene()
    scene.caller.hold()
    scene.accept("r")
    await scene.caller.wait_for_calls()
    scene.accept("r", replay="copy-1")

    assert await scene.intake.abandon() == 2

    assert scene.observer.of(SettlementAbandoned) == [SettlementAbandoned("r", None)] * 2
    assert len(scene.caller.calls) == 1


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


async def test_a_request_that_cost_nothing_starts_afresh_when_it_comes_again() -> None:
    scene = IntakeScene(_refused())
    scene.accept("r")
    await scene.finished()

    scene.accept("r")
    await scene.finished()

    assert len(scene.caller.calls) == 2


async def test_a_message_without_an_id_is_never_recalled_because_two_may_look_the_same() -> None:
    scene = IntakeScene()
    scene.intake._new_id = lambda: "made-up"
    scene.accept(None)
    await scene.finished()

    scene.accept(None, redelivered=True)
    await scene.finished()

    assert len(scene.caller.calls) == 2


async def test_after_the_drain_began_a_message_goes_back_untouched() -> None:
    scene = IntakeScene()
    scene.drain.begin()

    incoming = scene.accept()
    await scene.finished()

    assert incoming.verdict is Verdict.HANDED_BACK
    assert not scene.caller.calls
    assert not scene.publisher.confirmed
    assert [settled.outcome for settled in scene.observer.of(Settled)] == [Interrupted(attempts=0)]


async def test_a_drain_lets_a_running_request_finish() -> None:
    scene = IntakeScene()
    scene.caller.hold()
    incoming = scene.accept()
    await scene.caller.wait_for_calls()

    scene.drain.begin()
    scene.caller.release()
    await scene.finished()

    assert incoming.verdict is Verdict.ACKED


async def test_a_request_that_the_caller_gave_back_is_handed_back_in_every_copy() -> None:
    scene = IntakeScene(GivenBack(attempts=1))
    scene.caller.hold()
    copies = [scene.accept(), scene.accept(redelivered=True)]
    await scene.caller.wait_for_calls()

    scene.caller.release()
    await scene.finished()

    assert {copy.verdict for copy in copies} == {Verdict.HANDED_BACK}


async def test_finished_waits_for_requests_that_arrive_meanwhile() -> None:
    scene = IntakeScene()
    scene.caller.hold()
    scene.publisher.go_away(Route("", "late"))
    scene.accept("r-1")
    finished = asyncio.ensure_future(scene.finished())
    await scene.caller.wait_for_calls()

    late = scene.accept("r-2", reply_to="late")
    scene.caller.release()
    await scene.observer.wait_for(Settled)
    for _ in range(10):
        await asyncio.sleep(0)  # one round of the event loop, no time
    assert not finished.done()
    scene.publisher.come_back()
    await finished

    assert late.verdict is Verdict.ACKED


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


async def test_a_defect_in_the_settlement_is_named_and_does_not_stop_others() -> None:
    scene = IntakeScene()
    error = ZeroDivisionError()
    scene.publisher.refuse(Route("", "broken"), error)

    broken = scene.accept("r-1", reply_to="broken")
    sound = scene.accept("r-2")
    await scene.finished()

    (dead,) = scene.publisher.at(DEAD)
    assert dead.headers is not None
    assert (dead.headers["x-request-id"], dead.headers["x-task-id"]) == ("r-1", "task-1")
    assert (broken.verdict, sound.verdict) == (Verdict.ACKED, Verdict.ACKED)
    assert scene.observer.of(DefectFound) == [DefectFound("r-1", error)]
    assert scene.observer.of(SettlementAbandoned) == [
        SettlementAbandoned("r-1", Submitted("task-1", "wan", attempts=1), rescued=True)
    ]
    assert [settled.request_id for settled in scene.observer.of(Settled)] == ["r-2"]
    assert scene.intake.in_flight == 0


async def test_a_request_that_not_even_the_dead_letter_queue_takes_stays_with_the_broker() -> None:
    scene = IntakeScene()
    scene.publisher.refuse(ANSWERS, ZeroDivisionError())
    scene.publisher.refuse(DEAD, ZeroDivisionError())

    incoming = scene.accept("r-1")
    await scene.finished()

    assert incoming.verdict is None
    assert [found.request_id for found in scene.observer.of(DefectFound)] == ["r-1", "r-1"]
    assert scene.intake.in_flight == 0


async def test_a_defect_in_the_call_is_a_reply() -> None:
    scene = IntakeScene(ZeroDivisionError())

    incoming = scene.accept()
    await scene.finished()

    (reply,) = scene.publisher.at(ANSWERS)
    assert json.loads(reply.body)["error"]["code"] == "internal"
    assert incoming.verdict is Verdict.ACKED


async def test_abandoning_names_what_was_running_and_every_paid_task() -> None:
    scene = IntakeScene(Finished(Accepted("t-paid"), attempts=1), Finished(Accepted("never seen"), attempts=1))
    scene.publisher.go_away()
    paid = scene.accept("paid")
    await scene.publisher.wait_for_waiting()
    scene.caller.hold()
    running = scene.accept("running")
    await scene.caller.wait_for_calls(2)

    assert await scene.intake.abandon() == 2

    assert scene.observer.of(SettlementAbandoned) == [
        SettlementAbandoned("paid", Submitted("t-paid", "wan", attempts=1)),
        SettlementAbandoned("running", None),
    ]
    assert (paid.verdict, running.verdict) == (None, None)
    assert scene.intake.in_flight == 0
    assert not scene.observer.of(Settled)


async def test_a_request_that_is_abandoned_during_its_rescue_is_named_once() -> None:
    scene = IntakeScene()
    scene.publisher.refuse(ANSWERS, ZeroDivisionError())
    scene.publisher.go_away(DEAD)
    scene.accept("r")
    await scene.publisher.wait_for_waiting()
    await scene.observer.wait_for(SettlementAbandoned)

    assert await scene.intake.abandon() == 1

    assert scene.observer.of(SettlementAbandoned) == [
        SettlementAbandoned("r", Submitted("task-1", "wan", attempts=1), rescued=True)
    ]


async def test_a_recalled_request_is_not_named_again_when_it_is_abandoned() -> None:
    scene = IntakeScene()
    scene.accept("r").lose()
    await scene.finished()
    scene.publisher.go_away()
    scene.accept("r", redelivered=True)
    await scene.publisher.wait_for_waiting()

    assert await scene.intake.abandon() == 1

    assert not scene.observer.of(SettlementAbandoned)


async def test_a_recalled_request_whose_settlement_fails_is_rescued_and_not_named_again() -> None:
    scene = IntakeScene()
    scene.accept("r").lose()
    await scene.finished()
    scene.publisher.refuse(ANSWERS, ZeroDivisionError())

    late = scene.accept("r", redelivered=True)
    await scene.finished()

    assert late.verdict is Verdict.ACKED
    assert len(scene.publisher.at(DEAD)) == 1
    assert not scene.observer.of(SettlementAbandoned)


async def test_a_request_abandoned_before_its_task_ran_is_forgotten_too() -> None:
    scene = IntakeScene()

    scene.accept()

    assert await scene.intake.abandon() == 1
    assert scene.intake.in_flight == 0


async def test_abandoning_nothing_tells_nothing() -> None:
    scene = IntakeScene()

    assert await scene.intake.abandon() == 0
    assert not scene.observer.facts


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
