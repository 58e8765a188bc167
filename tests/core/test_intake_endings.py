"""The end of the worker, and defects on the way: everything is handed back, rescued or named."""

import asyncio
import json

from service.core.facts import DefectFound, Settled, SettlementAbandoned
from service.core.outcome import Interrupted, Submitted
from service.core.outgoing import Route
from service.core.placement import (
    GivenBack,
    Obtained,
)
from tests.support.fakes import Verdict
from tests.support.intake_scene import ANSWERS, DEAD, IntakeScene
from tests.support.records import record


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
        SettlementAbandoned("r-1", Submitted(record("task-1", "wan", attempts=1)), rescued=True)
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
    scene = IntakeScene(Obtained(record("t-paid")), Obtained(record("never seen")))
    scene.publisher.go_away()
    paid = scene.accept("paid")
    await scene.publisher.wait_for_waiting()
    scene.caller.hold()
    running = scene.accept("running")
    await scene.caller.wait_for_calls(2)

    assert await scene.intake.abandon() == 2

    assert scene.observer.of(SettlementAbandoned) == [
        SettlementAbandoned("paid", Submitted(record("t-paid", "wan", attempts=1))),
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
        SettlementAbandoned("r", Submitted(record("task-1", "wan", attempts=1)), rescued=True)
    ]


async def test_a_recalled_request_is_not_named_again_when_it_is_abandoned() -> None:
    scene = IntakeScene()
    scene.accept("r").lose()
    await scene.finished()
    scene.clock.advance(301)
    scene.publisher.go_away()
    scene.accept("r", redelivered=True)
    await scene.publisher.wait_for_waiting()

    assert await scene.intake.abandon() == 1

    assert not scene.observer.of(SettlementAbandoned)


async def test_a_recalled_request_whose_settlement_fails_is_rescued_and_not_named_again() -> None:
    scene = IntakeScene()
    scene.accept("r").lose()
    await scene.finished()
    scene.clock.advance(301)
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
