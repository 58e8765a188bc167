import asyncio
import json
from datetime import datetime, timedelta
from itertools import count

from service.core.call import Accepted, Answer, RefusedForGood, Uncertain, UncertainReason
from service.core.catalogue import Catalogue, Model
from service.core.delivery import Delivery
from service.core.drain import Drain
from service.core.facts import DefectFound, Joined, Received, Settled, SettlementAbandoned
from service.core.handling import Handler, SecondTierPolicy
from service.core.intake import Intake
from service.core.ledger import DoubtRecord, SubmittedRecord
from service.core.outcome import InDoubt, Interrupted, Rejected, Repeated, Submitted
from service.core.outgoing import PublishVerdict, Route
from service.core.placement import AlreadyKnown, Finished, GivenBack, Placed, RunningElsewhere, Withheld
from service.core.reading import RequestReader
from service.core.settling import Settler
from service.core.topology import RetryTier, Topology
from tests.support.fakes import (
    GUARD,
    NEW_YEAR,
    FakeClock,
    FakeIncoming,
    FakePublisher,
    RecordingObserver,
    ScriptedCaller,
    Verdict,
)

CATALOGUE = Catalogue(models=(Model(name="wan", sizes=((832, 480),), durations=(5,)),))
BODY = json.dumps({"prompt": "a cat", "model": "wan"}).encode()
TIERS = (RetryTier("10s", timedelta(seconds=10)), RetryTier("1m", timedelta(minutes=1)))
TOPOLOGY = Topology("videogen", TIERS)
ANSWERS, DEAD = Route("", "answers"), Route("", TOPOLOGY.dead)


class Scene:
    """An intake over a scripted caller and a publisher in memory."""

    def __init__(self, *answers: Placed | Exception) -> None:
        self.caller = ScriptedCaller(*answers)
        self.publisher = FakePublisher()
        self.clock = FakeClock()
        self.observer = RecordingObserver()
        self.drain = Drain()
        numbers = count(1)
        self.intake = Intake(
            Handler(
                RequestReader(CATALOGUE, max_bytes=1000),
                self.caller,
                SecondTierPolicy(TIERS, max_age=timedelta(hours=1)),
                self.clock,
                self.observer,
            ),
            Settler(self.publisher, TOPOLOGY, self.clock),
            self.drain,
            self.clock,
            self.observer,
            lambda: f"made-up-{next(numbers)}",
        )

    def accept(
        self, message_id: str | None = "r", *, reply_to: str = "answers", redelivered: bool = False
    ) -> FakeIncoming:
        incoming = FakeIncoming(Delivery(BODY, message_id=message_id, reply_to=reply_to, redelivered=redelivered))
        self.intake.accept(incoming)
        return incoming

    async def finished(self) -> None:
        async with asyncio.timeout(GUARD):
            await self.intake.finished()


def _refused() -> Finished:
    return Finished(RefusedForGood(Answer(400)), attempts=1)


async def test_a_request_is_handled_replied_to_and_acked() -> None:
    scene = Scene(Finished(Accepted("t-1"), attempts=1))

    incoming = scene.accept()
    assert scene.intake.in_flight == 1
    await scene.finished()

    assert incoming.verdict is Verdict.ACKED
    assert len(scene.publisher.at(ANSWERS)) == 1
    assert scene.intake.in_flight == 0


async def test_the_facts_tell_what_happened_and_how_long_it_took() -> None:
    scene = Scene(Finished(Accepted("t-1"), attempts=1))
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
    scene = Scene()

    scene.intake.accept(FakeIncoming(Delivery(BODY, timestamp=NEW_YEAR + timedelta(days=1))))
    await scene.finished()

    assert scene.observer.of(Received)[0].queue_wait == 0.0


async def test_a_copy_of_a_running_request_joins_it() -> None:
    scene = Scene()
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
    scene = Scene()
    scene.publisher.go_away()
    first = scene.accept()
    await scene.publisher.wait_for_waiting()

    second = scene.accept()
    scene.publisher.come_back()
    await scene.finished()

    assert len(scene.caller.calls) == 1
    assert (first.verdict, second.verdict) == (Verdict.ACKED, Verdict.ACKED)


async def test_a_redelivered_copy_settles_the_request_whose_channel_was_lost() -> None:
    scene = Scene()
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
    scene = Scene()
    scene.caller.hold()

    copies = [scene.accept(None), scene.accept(None)]
    await scene.caller.wait_for_calls(2)
    scene.caller.release()
    await scene.finished()

    assert {copy.verdict for copy in copies} == {Verdict.ACKED}
    assert not scene.observer.of(Joined)


async def test_a_redelivered_copy_of_a_paid_request_is_acked_without_a_call_or_a_second_reply() -> None:
    scene = Scene()
    scene.accept("r")
    await scene.finished()

    late = scene.accept("r", redelivered=True)
    await scene.finished()

    assert len(scene.caller.calls) == 1
    assert len(scene.publisher.at(ANSWERS)) == 1
    assert late.verdict is Verdict.ACKED
    assert len(scene.observer.of(Settled)) == 1
    assert scene.observer.of(Joined) == [Joined("r", redelivered=True)]


async def test_a_paid_request_that_is_published_again_gets_the_same_answer_without_a_call() -> None:
    scene = Scene()
    scene.accept("r")
    await scene.finished()
    scene.clock.advance(60)

    again = scene.accept("r")
    await scene.finished()

    assert len(scene.caller.calls) == 1
    first, second = scene.publisher.at(ANSWERS)
    assert first.body == second.body
    assert again.verdict is Verdict.ACKED


async def test_a_request_in_doubt_is_dead_lettered_once_however_often_it_is_redelivered() -> None:
    scene = Scene(Finished(Uncertain(UncertainReason.TIMEOUT, Answer()), attempts=1))
    scene.accept("r")
    await scene.finished()

    scene.accept("r", redelivered=True)
    await scene.finished()

    assert len(scene.caller.calls) == 1
    assert len(scene.publisher.at(DEAD)) == 1


async def test_a_request_in_doubt_that_is_published_anew_is_looked_up_in_the_ledger() -> None:
    scene = Scene(
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
    scene = Scene(AlreadyKnown(record))

    scene.accept("r")
    await scene.finished()

    (reply,) = scene.publisher.at(ANSWERS)
    body = json.loads(reply.body)
    assert (body["task_id"], body["model"], body["attempts"]) == ("t-1", "wan", 2)
    assert datetime.fromisoformat(body["submitted_at"]) == record.at
    assert [settled.outcome for settled in scene.observer.of(Settled)] == [Repeated(record)]


async def test_a_copy_of_a_request_that_runs_elsewhere_waits_in_a_wait_queue_and_is_not_remembered() -> None:
    scene = Scene(RunningElsewhere(seconds=30.0))

    incoming = scene.accept("r")
    await scene.finished()

    (moved,) = scene.publisher.at(Route("", "videogen.retry.1m"))
    assert moved.message_id == "r"
    assert incoming.verdict is Verdict.ACKED
    scene.accept("r", redelivered=True)
    await scene.finished()
    assert len(scene.caller.calls) == 2


async def test_settling_one_comes_back_when_the_request_is_settled() -> None:
    scene = Scene()
    incoming = FakeIncoming(Delivery(BODY, message_id="r", reply_to="answers"))
    scene.publisher.go_away()
    settling = asyncio.ensure_future(scene.intake.settle_one(incoming))
    await scene.publisher.wait_for_waiting()
    assert not settling.done()

    scene.publisher.come_back()
    await settling

    assert incoming.verdict is Verdict.ACKED
    assert scene.intake.in_flight == 0


async def test_whoever_gives_up_waiting_for_one_does_not_cut_its_work() -> None:
    scene = Scene()
    scene.caller.hold()
    incoming = FakeIncoming(Delivery(BODY, message_id="r", reply_to="answers"))
    settling = asyncio.ensure_future(scene.intake.settle_one(incoming))
    await scene.caller.wait_for_calls()

    settling.cancel()
    await asyncio.gather(settling, return_exceptions=True)
    scene.caller.release()
    await scene.finished()

    assert incoming.verdict is Verdict.ACKED


async def test_settling_one_that_joins_waits_for_the_running_request() -> None:
    scene = Scene()
    scene.caller.hold()
    scene.accept("r")
    await scene.caller.wait_for_calls()
    copy = FakeIncoming(Delivery(BODY, message_id="r", reply_to="answers"))

    settling = asyncio.ensure_future(scene.intake.settle_one(copy))
    scene.caller.release()
    await settling

    assert copy.verdict is Verdict.ACKED
    assert len(scene.caller.calls) == 1


async def test_every_copy_of_a_withdrawn_request_leaves_and_another_address_gets_a_message_of_its_own() -> None:
    scene = Scene(Withheld(attempts=0, doubt=False, last=None))
    scene.caller.hold()
    copies = [scene.accept(), scene.accept(redelivered=True), scene.accept(reply_to="others")]
    await scene.caller.wait_for_calls()

    scene.caller.release()
    await scene.finished()

    moved = scene.publisher.at(Route("", TOPOLOGY.requests))
    assert [message.reply_to for message in moved] == ["answers", "others"]
    assert {copy.verdict for copy in copies} == {Verdict.ACKED}


async def test_a_request_that_cost_nothing_starts_afresh_when_it_comes_again() -> None:
    scene = Scene(_refused())
    scene.accept("r")
    await scene.finished()

    scene.accept("r")
    await scene.finished()

    assert len(scene.caller.calls) == 2


async def test_requests_without_an_id_are_not_remembered_under_the_one_that_was_made_up() -> None:
    scene = Scene()
    scene.intake._new_id = lambda: "made-up"
    scene.accept(None)
    await scene.finished()

    scene.accept(None)
    await scene.finished()

    assert len(scene.caller.calls) == 2


async def test_after_the_drain_began_a_message_goes_back_untouched() -> None:
    scene = Scene()
    scene.drain.begin()

    incoming = scene.accept()
    await scene.finished()

    assert incoming.verdict is Verdict.HANDED_BACK
    assert not scene.caller.calls
    assert not scene.publisher.confirmed
    assert [settled.outcome for settled in scene.observer.of(Settled)] == [Interrupted(attempts=0)]


async def test_a_drain_lets_a_running_request_finish() -> None:
    scene = Scene()
    scene.caller.hold()
    incoming = scene.accept()
    await scene.caller.wait_for_calls()

    scene.drain.begin()
    scene.caller.release()
    await scene.finished()

    assert incoming.verdict is Verdict.ACKED


async def test_a_request_that_the_caller_gave_back_is_handed_back_in_every_copy() -> None:
    scene = Scene(GivenBack(attempts=1))
    scene.caller.hold()
    copies = [scene.accept(), scene.accept(redelivered=True)]
    await scene.caller.wait_for_calls()

    scene.caller.release()
    await scene.finished()

    assert {copy.verdict for copy in copies} == {Verdict.HANDED_BACK}


async def test_finished_waits_for_requests_that_arrive_meanwhile() -> None:
    scene = Scene()
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
    scene = Scene(_refused())

    incoming = scene.accept()
    await scene.finished()

    assert len(scene.publisher.at(DEAD)) == 1
    assert incoming.verdict is Verdict.ACKED
    assert [settled.outcome for settled in scene.observer.of(Settled)] == [Rejected(Answer(400), attempts=1)]


async def test_a_parked_result_is_told() -> None:
    scene = Scene()
    scene.publisher.refuse(ANSWERS, PublishVerdict.RETURNED)

    scene.accept()
    await scene.finished()

    assert [settled.parked for settled in scene.observer.of(Settled)] == [True]


async def test_a_defect_in_the_settlement_is_named_and_does_not_stop_others() -> None:
    scene = Scene()
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
        SettlementAbandoned("r-1", Submitted("task-1", "wan", attempts=1))
    ]
    assert [settled.request_id for settled in scene.observer.of(Settled)] == ["r-2"]
    assert scene.intake.in_flight == 0


async def test_a_request_that_not_even_the_dead_letter_queue_takes_stays_with_the_broker() -> None:
    scene = Scene()
    scene.publisher.refuse(ANSWERS, ZeroDivisionError())
    scene.publisher.refuse(DEAD, ZeroDivisionError())

    incoming = scene.accept("r-1")
    await scene.finished()

    assert incoming.verdict is None
    assert [found.request_id for found in scene.observer.of(DefectFound)] == ["r-1", "r-1"]
    assert scene.intake.in_flight == 0


async def test_a_defect_in_the_call_is_a_reply() -> None:
    scene = Scene(ZeroDivisionError())

    incoming = scene.accept()
    await scene.finished()

    (reply,) = scene.publisher.at(ANSWERS)
    assert json.loads(reply.body)["error"]["code"] == "internal"
    assert incoming.verdict is Verdict.ACKED


async def test_abandoning_names_what_was_running_and_every_paid_task() -> None:
    scene = Scene(Finished(Accepted("t-paid"), attempts=1), Finished(Accepted("never seen"), attempts=1))
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


async def test_a_request_abandoned_before_its_task_ran_is_forgotten_too() -> None:
    scene = Scene()

    scene.accept()

    assert await scene.intake.abandon() == 1
    assert scene.intake.in_flight == 0


async def test_abandoning_nothing_tells_nothing() -> None:
    scene = Scene()

    assert await scene.intake.abandon() == 0
    assert not scene.observer.facts


async def test_a_thousand_requests_leave_no_task_and_no_job_behind() -> None:
    scene = Scene()
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
