import json
from datetime import UTC, datetime, timedelta

import pytest
from typing_extensions import override

from service.core.call import (
    Accepted,
    Answer,
    Blocked,
    CallResult,
    DeadlinePassed,
    Finished,
    GivenBack,
    NotSent,
    NotSentReason,
    Placed,
    RefusedForGood,
    RefusedForNow,
    Uncertain,
    UncertainReason,
)
from service.core.catalogue import Catalogue, Model
from service.core.delivery import Delivery, Identity
from service.core.facts import DefectFound
from service.core.handling import Handler
from service.core.identity import NO_MESSAGE_ID
from service.core.outcome import (
    BlockedOut,
    Defect,
    Expired,
    Handled,
    InDoubt,
    Interrupted,
    Invalid,
    Malformed,
    Outcome,
    RateLimited,
    Rejected,
    Submitted,
    Unavailable,
)
from service.core.reading import Reading, RequestReader
from tests.support.fakes import NEW_YEAR, FakeClock, RecordingObserver, ScriptedCaller

CATALOGUE = Catalogue(models=(Model(name="wan", aliases=("w",), sizes=((832, 480),), durations=(5,)),))
IDENTITY = Identity("r-1", "c-1", made_up=False)
ANSWER = Answer(400, "Code", "words")
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


class Scene:
    def __init__(self, caller: ScriptedCaller, reader: RequestReader | None = None) -> None:
        self.caller = caller
        self.observer = RecordingObserver()
        self.clock = FakeClock()
        reader = reader or RequestReader(CATALOGUE, max_bytes=1000)
        self.handler = Handler(reader, caller, self.clock, self.observer)

    async def handle(self, delivery: Delivery, identity: Identity = IDENTITY) -> Handled:
        return await self.handler.handle(delivery, identity)


class BrokenReader(RequestReader):
    @override
    def read(self, delivery: Delivery) -> Reading:
        raise ZeroDivisionError


def _delivery(deadline: datetime | None = None, **headers: object) -> Delivery:
    body = json.dumps({"prompt": "a cat", "model": "w"}).encode()
    if deadline is not None:
        headers["x-deadline"] = deadline.isoformat()
    return Delivery(body, headers=headers)


async def test_a_call_carries_the_request_its_id_and_its_trace() -> None:
    scene = Scene(ScriptedCaller())

    await scene.handle(_delivery(traceparent=TRACEPARENT))

    (call,) = scene.caller.calls
    assert call.request_id == "r-1"
    assert (call.request.prompt, call.request.model) == ("a cat", "wan")
    assert call.trace == {"traceparent": TRACEPARENT}


@pytest.mark.parametrize(
    ("placed", "outcome"),
    [
        (Finished(Accepted("t"), 2), Submitted("t", "wan", 2)),
        (Finished(RefusedForGood(ANSWER), 2), Rejected(ANSWER, 2)),
        (Finished(RefusedForGood(ANSWER, forbidden=True), 2), Rejected(ANSWER, 2)),
        (Finished(RefusedForNow(ANSWER, throttled=True), 2), RateLimited(ANSWER, 2)),
        (Finished(RefusedForNow(ANSWER, throttled=False), 2), Unavailable(ANSWER, 2)),
        (Finished(NotSent(NotSentReason.REFUSED, ANSWER), 2), Unavailable(ANSWER, 2)),
        (Finished(Blocked(ANSWER), 2), BlockedOut(ANSWER, 2)),
        (Finished(Uncertain(UncertainReason.TIMEOUT, ANSWER), 2), InDoubt(ANSWER, 2)),
        (Finished(RefusedForGood(ANSWER), 2, doubt=True), InDoubt(ANSWER, 2)),
        (Finished(RefusedForNow(ANSWER, throttled=True), 2, doubt=True), InDoubt(ANSWER, 2)),
        (Finished(Accepted("t"), 2, doubt=True), Submitted("t", "wan", 2)),
        (GivenBack(2), Interrupted(2)),
    ],
)
async def test_what_the_call_came_to_names_the_outcome(placed: Placed, outcome: Outcome) -> None:
    assert await Scene(ScriptedCaller(placed)).handle(_delivery()) == Handled(outcome)


async def test_a_deadline_that_passes_between_attempts_ends_as_expired() -> None:
    deadline = NEW_YEAR + timedelta(minutes=1)
    scene = Scene(ScriptedCaller(DeadlinePassed(attempts=3)))

    assert await scene.handle(_delivery(deadline)) == Handled(Expired(deadline, attempts=3))
    assert scene.caller.deadlines == [deadline]


@pytest.mark.parametrize("late", [timedelta(0), timedelta(seconds=1), timedelta(days=400)])
async def test_a_deadline_in_the_past_means_no_call(late: timedelta) -> None:
    scene = Scene(ScriptedCaller())
    deadline = NEW_YEAR - late

    assert await scene.handle(_delivery(deadline)) == Handled(Expired(deadline, attempts=0))
    assert not scene.caller.calls


async def test_timestamp_and_expiration_make_a_deadline_too() -> None:
    scene = Scene(ScriptedCaller())
    delivery = Delivery(_delivery().body, timestamp=datetime(2025, 12, 31, tzinfo=UTC), expiration=timedelta(hours=1))

    handled = await scene.handle(delivery)

    assert handled == Handled(Expired(datetime(2025, 12, 31, 1, tzinfo=UTC), attempts=0))


@pytest.mark.parametrize(("body", "kind"), [(b"no json", Malformed), (b"{}", Invalid)])
async def test_an_unreadable_message_is_never_called(body: bytes, kind: type[Outcome]) -> None:
    scene = Scene(ScriptedCaller())

    handled = await scene.handle(Delivery(body))

    assert isinstance(handled.outcome, kind)
    assert not scene.caller.calls


@pytest.mark.parametrize("body", [_delivery().body, b"no json"])
async def test_a_message_without_an_id_is_warned_about(body: bytes) -> None:
    handled = await Scene(ScriptedCaller()).handle(Delivery(body), Identity("new", "new", made_up=True))

    assert handled.warnings == (NO_MESSAGE_ID,)


async def test_warnings_of_the_reader_reach_the_reply() -> None:
    body = json.dumps({"prompt": "a" * 900, "model": "wan"}).encode()

    handled = await Scene(ScriptedCaller()).handle(Delivery(body))

    (warning,) = handled.warnings
    assert "prompt" in warning


async def test_a_reader_that_crashes_is_a_defect_without_a_call() -> None:
    scene = Scene(ScriptedCaller(), BrokenReader(CATALOGUE, max_bytes=1000))

    assert await scene.handle(_delivery()) == Handled(Defect(called=False))
    (defect,) = scene.observer.of(DefectFound)
    assert defect.request_id == "r-1"
    assert isinstance(defect.error, ZeroDivisionError)
    assert not scene.caller.calls


async def test_a_caller_that_crashes_is_a_defect_that_may_have_called() -> None:
    scene = Scene(ScriptedCaller(ZeroDivisionError()))

    assert await scene.handle(_delivery()) == Handled(Defect(called=True))
    assert len(scene.observer.of(DefectFound)) == 1


def test_the_table_of_results_is_whole() -> None:
    named = {Accepted, NotSent, RefusedForNow, RefusedForGood, Blocked, Uncertain}

    assert set(CallResult.__args__) == named
