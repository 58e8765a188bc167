import asyncio
import json
from collections import deque
from datetime import timedelta
from itertools import count

import pytest

from service.core.call import Answer
from service.core.delivery import Delivery, Identity
from service.core.history import History
from service.core.memory import Answered
from service.core.outcome import Handled, Interrupted, Outcome, Postponed, Rejected, Submitted, Withdrawn
from service.core.outgoing import PublishVerdict, Route
from service.core.settlement import settle
from service.core.settling import Copy, Settler
from service.core.topology import RetryTier, Topology
from tests.support.fakes import NEW_YEAR, FakeClock, FakeIncoming, FakePublisher, Verdict
from tests.support.records import record

TIER = RetryTier("10s", timedelta(seconds=10))
TOPOLOGY = Topology("videogen", (TIER,))
ANSWERS, OTHERS = Route("", "answers"), Route("", "others")
DEAD, UNDELIVERED = Route("", TOPOLOGY.dead), Route("", TOPOLOGY.undelivered)
REQUESTS, WAIT = Route("", TOPOLOGY.requests), Route("", TOPOLOGY.retry_queue(TIER))
HISTORY = History(NEW_YEAR, attempts=4, postponed=1)
MOVES = [(Postponed(TIER, HISTORY), WAIT), (Withdrawn(HISTORY), REQUESTS)]
SUBMITTED = Submitted(record("t-1", "m", attempts=1))
REJECTED = Rejected(Answer(400), attempts=1)


class Scene:
    """A settler over fakes, and the copies of one request."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.moves = count(1)
        self.publisher = FakePublisher()
        self.settler = Settler(self.publisher, TOPOLOGY, self.clock, lambda: f"move-{next(self.moves)}")
        self.copies: deque[Copy] = deque()

    def copy(
        self, reply_to: str | None = "answers", correlation_id: str = "c", delivery_count: int = 0, **headers: object
    ) -> FakeIncoming:
        delivery = Delivery(
            b"{}",
            message_id="r",
            reply_to=reply_to,
            delivery_count=delivery_count,
            headers={name.replace("_", "-"): value for name, value in headers.items()},
        )
        incoming = FakeIncoming(delivery)
        self.copies.append(Copy(incoming, Identity("r", correlation_id, made_up=False)))
        return incoming

    async def settle(self, outcome: Outcome) -> bool:
        handled = Handled(outcome)
        return await self.settler.settle(Answered(handled, settle(handled, "r", self.clock.now())), self.copies)


@pytest.fixture
def scene() -> Scene:
    return Scene()


async def test_a_result_is_confirmed_before_its_request_is_acked(scene: Scene) -> None:
    incoming = scene.copy()
    scene.publisher.go_away()
    settling = asyncio.ensure_future(scene.settle(SUBMITTED))
    await scene.publisher.wait_for_waiting()
    assert incoming.untouched

    scene.publisher.come_back()
    assert not await settling

    assert incoming.verdict is Verdict.ACKED
    assert [message.route for message in scene.publisher.confirmed] == [ANSWERS]
    assert not scene.copies


async def test_a_dead_copy_follows_the_reply_and_comes_before_the_ack(scene: Scene) -> None:
    incoming = scene.copy()
    scene.publisher.go_away(DEAD)
    settling = asyncio.ensure_future(scene.settle(REJECTED))
    await scene.publisher.wait_for_waiting()
    assert [message.route for message in scene.publisher.confirmed] == [ANSWERS]
    assert incoming.untouched

    scene.publisher.come_back()
    await settling

    assert [message.route for message in scene.publisher.confirmed] == [ANSWERS, DEAD]
    assert incoming.verdict is Verdict.ACKED


@pytest.mark.parametrize("refusal", [PublishVerdict.RETURNED, PublishVerdict.NACKED])
async def test_a_refused_reply_is_parked_with_its_address_and_then_acked(scene: Scene, refusal: PublishVerdict) -> None:
    incoming = scene.copy()
    scene.publisher.refuse(ANSWERS, refusal)
    scene.publisher.go_away(UNDELIVERED)
    settling = asyncio.ensure_future(scene.settle(SUBMITTED))
    await scene.publisher.wait_for_waiting()
    assert incoming.untouched

    scene.publisher.come_back()
    assert await settling

    (parked,) = scene.publisher.confirmed
    assert parked.route == UNDELIVERED
    assert parked.headers == {"x-original-reply-to": "answers"}
    assert json.loads(parked.body)["task_id"] == "t-1"
    assert incoming.verdict is Verdict.ACKED


async def test_a_refused_error_reply_still_leaves_its_dead_copy(scene: Scene) -> None:
    scene.copy()
    scene.publisher.refuse(ANSWERS, PublishVerdict.RETURNED)

    assert await scene.settle(REJECTED)

    assert [message.route for message in scene.publisher.confirmed] == [UNDELIVERED, DEAD]


async def test_a_copy_with_another_address_gets_its_own_reply(scene: Scene) -> None:
    first, second = scene.copy("answers"), scene.copy("others")

    await scene.settle(SUBMITTED)

    assert len(scene.publisher.at(ANSWERS)) == 1
    assert len(scene.publisher.at(OTHERS)) == 1
    assert (first.verdict, second.verdict) == (Verdict.ACKED, Verdict.ACKED)


async def test_a_copy_with_another_correlation_id_gets_its_own_reply(scene: Scene) -> None:
    scene.copy(correlation_id="c-1")
    scene.copy(correlation_id="c-2")

    await scene.settle(SUBMITTED)

    assert [message.correlation_id for message in scene.publisher.at(ANSWERS)] == ["c-1", "c-2"]


async def test_a_copy_with_the_same_address_is_only_acked(scene: Scene) -> None:
    copies = [scene.copy() for _ in range(3)]

    await scene.settle(SUBMITTED)

    assert len(scene.publisher.confirmed) == 1
    assert {copy.verdict for copy in copies} == {Verdict.ACKED}


async def test_there_is_one_dead_copy_however_many_copies_there_are(scene: Scene) -> None:
    scene.copy("answers")
    scene.copy("answers")
    scene.copy("others")

    await scene.settle(REJECTED)

    assert len(scene.publisher.at(DEAD)) == 1


async def test_a_copy_that_joins_during_the_settlement_is_settled_too(scene: Scene) -> None:
    scene.copy("answers")
    scene.publisher.go_away()
    settling = asyncio.ensure_future(scene.settle(SUBMITTED))
    await scene.publisher.wait_for_waiting()

    late = scene.copy("others")
    scene.publisher.come_back()
    await settling

    assert late.verdict is Verdict.ACKED
    assert len(scene.publisher.at(OTHERS)) == 1
    assert not scene.copies


async def test_interrupted_work_is_handed_back_in_every_copy(scene: Scene) -> None:
    copies = [scene.copy("answers"), scene.copy("others")]

    assert not await scene.settle(Interrupted(attempts=0))

    assert {copy.verdict for copy in copies} == {Verdict.HANDED_BACK}
    assert not scene.publisher.confirmed
    assert not scene.copies


async def test_one_parked_reply_among_several_is_told(scene: Scene) -> None:
    scene.copy("answers")
    scene.copy("others")
    scene.publisher.refuse(ANSWERS, PublishVerdict.RETURNED)

    assert await scene.settle(SUBMITTED)


async def test_nothing_is_acked_when_publishing_fails_outright(scene: Scene) -> None:
    incoming = scene.copy()
    scene.publisher.refuse(ANSWERS, RuntimeError("broken"))

    with pytest.raises(RuntimeError, match="broken"):
        await scene.settle(SUBMITTED)

    assert incoming.untouched


@pytest.mark.parametrize(("outcome", "route"), MOVES)
async def test_a_message_that_moves_is_confirmed_at_its_next_home_before_it_is_acked(
    scene: Scene, outcome: Outcome, route: Route
) -> None:
    incoming = scene.copy()
    scene.publisher.go_away(route)
    settling = asyncio.ensure_future(scene.settle(outcome))
    await scene.publisher.wait_for_waiting()
    assert incoming.untouched

    scene.publisher.come_back()
    assert not await settling

    (moved,) = scene.publisher.confirmed
    assert (moved.route, moved.body, moved.message_id, moved.reply_to) == (route, b"{}", "r", "answers")
    assert moved.headers == {
        "x-attempts": 4,
        "x-postponed": 1,
        "x-first-seen": "2026-01-01T00:00:00Z",
        "x-move": "move-1",
    }
    assert incoming.verdict is Verdict.ACKED


@pytest.mark.parametrize(("outcome", "route"), MOVES)
async def test_of_copies_with_one_address_one_moves_and_a_copy_with_another_moves_too(
    scene: Scene, outcome: Outcome, route: Route
) -> None:
    copies = [scene.copy("answers"), scene.copy("answers"), scene.copy("others"), scene.copy("answers", "c-2")]

    await scene.settle(outcome)

    moved = scene.publisher.at(route)
    assert [message.reply_to for message in moved] == ["answers", "others", "answers"]
    assert {copy.verdict for copy in copies} == {Verdict.ACKED}
    assert not scene.copies


async def test_a_copy_that_joins_during_a_move_is_settled_too(scene: Scene) -> None:
    scene.copy("answers")
    scene.publisher.go_away()
    settling = asyncio.ensure_future(scene.settle(Withdrawn(HISTORY)))
    await scene.publisher.wait_for_waiting()

    late = scene.copy("others")
    scene.publisher.come_back()
    await settling

    assert late.verdict is Verdict.ACKED
    assert [message.reply_to for message in scene.publisher.at(REQUESTS)] == ["answers", "others"]


async def test_a_message_that_cannot_move_is_not_acked(scene: Scene) -> None:
    incoming = scene.copy()
    scene.publisher.refuse(WAIT, RuntimeError("broken"))

    with pytest.raises(RuntimeError, match="broken"):
        await scene.settle(Postponed(TIER, HISTORY))

    assert incoming.untouched


@pytest.mark.parametrize(("outcome", "route"), MOVES)
async def test_a_message_that_no_queue_takes_is_handed_back(scene: Scene, outcome: Outcome, route: Route) -> None:
    incoming = scene.copy()
    for home in (route, REQUESTS):
        scene.publisher.refuse(home, PublishVerdict.NACKED)

    assert not await scene.settle(outcome)

    assert incoming.verdict is Verdict.HANDED_BACK
    assert not scene.publisher.confirmed
    assert not scene.copies


async def test_a_message_that_its_wait_queue_does_not_take_goes_to_the_end_of_its_own(scene: Scene) -> None:
    incoming = scene.copy()
    scene.publisher.refuse(WAIT, PublishVerdict.NACKED)

    await scene.settle(Postponed(TIER, HISTORY))

    assert incoming.verdict is Verdict.ACKED
    assert len(scene.publisher.at(REQUESTS)) == 1


async def test_a_message_that_no_queue_takes_waits_for_room_before_the_broker_counts_it_out(scene: Scene) -> None:
    incoming = scene.copy(delivery_count=10)
    scene.publisher.refuse(REQUESTS, PublishVerdict.NACKED)

    await scene.settle(Withdrawn(HISTORY))

    assert incoming.verdict is Verdict.ACKED
    assert len(scene.publisher.at(REQUESTS)) == 1


async def test_a_copy_is_not_acked_for_another_one_that_no_queue_took(scene: Scene) -> None:
    copies = [scene.copy(), scene.copy()]
    scene.publisher.refuse(REQUESTS, PublishVerdict.NACKED)

    await scene.settle(Withdrawn(HISTORY))

    assert [copy.verdict for copy in copies] == [Verdict.HANDED_BACK, Verdict.HANDED_BACK]


async def test_what_was_given_out_often_and_finds_no_room_is_handed_back_all_the_same(scene: Scene) -> None:
    incoming = scene.copy(delivery_count=10)
    scene.publisher.refuse(REQUESTS, PublishVerdict.NACKED)

    await scene.settle(Interrupted(attempts=0))

    assert incoming.verdict is Verdict.HANDED_BACK


async def test_a_message_that_was_given_out_often_is_published_anew_before_the_broker_counts_it_out(
    scene: Scene,
) -> None:
    seldom = scene.copy(delivery_count=9)
    often = scene.copy("others", delivery_count=10, x_attempts=2, x_first_seen="2025-12-31T00:00:00Z")
    scene.publisher.go_away()
    settling = asyncio.ensure_future(scene.settle(Interrupted(attempts=0)))
    await scene.publisher.wait_for_waiting()
    assert (seldom.verdict, often.untouched) == (Verdict.HANDED_BACK, True)

    scene.publisher.come_back()
    await settling

    (moved,) = scene.publisher.at(REQUESTS)
    assert moved.headers == {"x-attempts": 2, "x-first-seen": "2025-12-31T00:00:00Z", "x-move": "move-1"}
    assert moved.message_id == "r"
    assert often.verdict is Verdict.ACKED
