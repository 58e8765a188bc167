"""Messages that come again after they were settled: what is remembered, and what is not."""

import pytest

from service.core.call import Answer, RefusedForGood, Uncertain, UncertainReason
from service.core.delivery import Delivery
from service.core.facts import Joined, Settled
from service.core.ledger import DoubtRecord
from service.core.outcome import InDoubt, Repeated, Submitted
from service.core.outgoing import PublishVerdict, Route
from service.core.placement import (
    AlreadyKnown,
    DeadlinePassed,
    Finished,
    GivenBack,
    Obtained,
    Placed,
    RunningElsewhere,
    Withheld,
)
from tests.support.fakes import FakeIncoming, Verdict
from tests.support.intake_scene import ANSWERS, DEAD, TOPOLOGY, WAIT, IntakeScene
from tests.support.records import record


def _refused() -> Finished:
    return Finished(RefusedForGood(Answer(400)), attempts=1)


async def test_a_message_whose_ack_was_lost_gets_the_same_answer_again_without_a_call() -> None:
    scene = IntakeScene()
    scene.accept("r").lose()
    await scene.finished()
    scene.clock.advance(301)

    late = scene.accept("r", redelivered=True)
    await scene.finished()

    assert len(scene.caller.calls) == 1
    first, second = scene.publisher.at(ANSWERS)
    assert first.body == second.body
    assert late.verdict is Verdict.ACKED
    assert len(scene.observer.of(Settled)) == 1
    assert scene.observer.of(Joined) == [Joined("r", redelivered=True)]


async def test_a_copy_of_the_brokers_that_comes_soon_is_acked_and_nobody_is_told_twice() -> None:
    scene = IntakeScene(_refused())
    scene.accept("r").lose()
    await scene.finished()
    scene.clock.advance(60)

    late = scene.accept("r", redelivered=True)
    await scene.finished()

    assert len(scene.caller.calls) == 1
    assert len(scene.publisher.at(ANSWERS)) == 1
    assert len(scene.publisher.at(DEAD)) == 1
    assert late.verdict is Verdict.ACKED


async def test_a_request_that_is_published_anew_is_looked_up_in_the_ledger() -> None:
    scene = IntakeScene(Obtained(record()), AlreadyKnown(record()))
    scene.accept("r")
    await scene.finished()

    scene.accept("r")
    await scene.finished()

    assert [settled.outcome for settled in scene.observer.of(Settled)] == [
        Submitted(record()),
        Repeated(record()),
    ]


FAILURES = [
    Finished(Uncertain(UncertainReason.TIMEOUT, Answer()), attempts=1),
    Finished(RefusedForGood(Answer(400)), attempts=1),
    DeadlinePassed(attempts=1),
]


@pytest.mark.parametrize("failure", FAILURES, ids=repr)
async def test_a_failure_that_was_told_is_told_again_and_never_contradicted_by_another_call(failure: Placed) -> None:
    scene = IntakeScene(failure, Obtained(record("contradiction")))
    scene.accept("r").lose()
    await scene.finished()
    scene.clock.advance(301)

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
    scene.clock.advance(301)

    scene.accept(reply_to="others", redelivered=True)
    await scene.finished()

    assert len(scene.caller.calls) == 1
    assert len(scene.publisher.at(Route("", "others"))) == 2


async def test_another_message_of_the_same_request_is_not_taken_for_the_one_that_was_answered() -> None:
    scene = IntakeScene(_refused(), Obtained(record("t-2")))
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
    for home in (WAIT, Route("", TOPOLOGY.requests)):
        scene.publisher.refuse(home, PublishVerdict.NACKED)
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
    scene = IntakeScene(GivenBack(attempts=0), Obtained(record("t-1")))
    scene.accept("r")
    await scene.finished()

    again = scene.accept("r", redelivered=True)
    await scene.finished()

    assert again.verdict is Verdict.ACKED
    assert len(scene.caller.calls) == 2


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
