import asyncio
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.adapters.rabbitmq.consumer import Flow, RabbitConsumer
from service.core.facts import ConsumerActive
from service.core.ports import Incoming
from tests.adapters.rabbitmq.broker_channel import BrokerChannel
from tests.support.fakes import GUARD, RecordingObserver

PREFETCH = 2
BRIEF = 0.004


class Bench:
    """A consumer, and what reached `accept`."""

    def __init__(self, within: float = GUARD) -> None:
        self.accepted: list[Incoming] = []
        self.observer = RecordingObserver()
        self.consumer = RabbitConsumer("q", PREFETCH, self.accepted.append, self.observer, within)

    @property
    def active(self) -> bool:
        facts = self.observer.of(ConsumerActive)
        assert all(one.active is not other.active for one, other in pairwise(facts))
        return bool(facts) and facts[-1].active


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def turns(number: int) -> None:
    for _ in range(number):
        await asyncio.sleep(0)  # one turn of the event loop, no time


ACTIONS = st.one_of(
    st.sampled_from(["pause", "resume", "new session", "end session", "cancelled pause", "cancelled resume"]),
    st.integers(0, 4),
)
ANSWERS = st.lists(st.one_of(st.integers(0, 5), st.integers(0, 5), st.integers(0, 5), st.none()), max_size=12)


class Story:
    """Does one thing after another to a consumer, without waiting for it to come true."""

    def __init__(self, answers: list[int | None]) -> None:
        self.bench = Bench(BRIEF)
        self.answers = iter(answers)
        self.channel = BrokerChannel(self.answers)
        self.session = self.channel.session()
        self.paused = False
        self.under_way: list[asyncio.Future[None]] = []

    async def act(self, action: str | int) -> None:
        match action:
            case int(number):
                await turns(number)
            case "new session":
                self.session.end("another one comes")
                self.channel = BrokerChannel(self.answers)
                self.session = self.channel.session()
                self._begin(self.bench.consumer.start(self.session))
            case "end session":
                self.session.end("told to")
            case _:
                self.paused = str(action).endswith("pause")
                change = self.bench.consumer.pause() if self.paused else self.bench.consumer.resume()
                self._begin(change)
                if str(action).startswith("cancelled"):
                    await turns(1)
                    self.under_way[-1].cancel()

    def _begin(self, work: "asyncio.Future[None] | object") -> None:
        self.under_way.append(asyncio.ensure_future(work))  # type: ignore[arg-type] # coroutines alone are given

    async def settle_down(self) -> None:
        async with asyncio.timeout(GUARD):
            await asyncio.gather(*self.under_way, return_exceptions=True)
            # A cancelled caller leaves before what it began has ended.
            if (aligning := self.bench.consumer._aligning) is not None:
                await aligning
            await turns(3)


@given(st.lists(ACTIONS, max_size=12), ANSWERS)
def test_in_any_order_of_events_the_flow_ends_as_it_was_last_wanted(
    actions: list[str | int], answers: list[int | None]
) -> None:
    async def play() -> None:
        story = Story(answers)
        await story.act("new session")
        for action in actions:
            await story.act(action)
        await story.settle_down()

        alive = not story.session.ended.done()
        assert bool(story.channel.consumers) is (alive and not story.paused)
        assert story.bench.active is (alive and not story.paused)

    asyncio.run(play())


@given(st.lists(ACTIONS, max_size=8), st.lists(ACTIONS, max_size=8), ANSWERS)
def test_after_a_stop_nothing_flows_whatever_comes_before_and_after(
    before: list[str | int], after: list[str | int], answers: list[int | None]
) -> None:
    async def play() -> None:
        story = Story(answers)
        await story.act("new session")
        for action in before:
            await story.act(action)
        await story.bench.consumer.stop()
        assert not story.channel.consumers
        for action in after:
            await story.act(action)
            assert not story.channel.consumers
        await story.settle_down()

        assert not story.bench.active
        assert await story.bench.consumer.take_one() is None

    asyncio.run(play())


async def test_a_pause_whose_caller_is_cancelled_is_carried_out_all_the_same(bench: Bench) -> None:
    channel = BrokerChannel(iter([0, 0, 5]))
    session = channel.session()
    await bench.consumer.start(session)

    pausing = asyncio.ensure_future(bench.consumer.pause())
    await turns(2)
    pausing.cancel()
    await asyncio.gather(pausing, return_exceptions=True)
    await turns(10)

    assert not bench.active
    assert not session.ended.done()


async def test_a_cancel_that_is_not_confirmed_ends_the_session() -> None:
    bench = Bench(BRIEF)
    session = (channel := BrokerChannel(iter([0, 0, None]))).session()
    await bench.consumer.start(session)

    await bench.consumer.pause()
    await turns(1)

    assert session.ended.result() == "the broker did not answer in time"
    assert not channel.consumers
    assert not bench.active


@pytest.mark.pain(6)
async def test_a_delivery_that_is_dispatched_after_the_end_of_its_session_is_dropped(bench: Bench) -> None:
    session = (channel := BrokerChannel()).session()
    await bench.consumer.start(session)
    (receive,) = channel.consumers.values()
    session.end("lost")

    await channel.deliver(receive)

    assert bench.accepted == []
    assert channel.settled == []


async def test_deliveries_are_counted_until_they_are_settled(bench: Bench) -> None:
    session = (channel := BrokerChannel()).session()
    await bench.consumer.start(session)
    await channel.deliver()
    await channel.deliver()
    tag = bench.consumer.flow_on(session).tag
    assert bench.consumer.flow_on(session) == Flow(tag, delivered=2, unsettled=2)

    await bench.accepted[0].ack()
    await bench.accepted[1].hand_back()

    assert bench.consumer.flow_on(session) == Flow(tag, delivered=2, unsettled=0)


async def test_what_an_ended_session_left_unsettled_does_not_count_in_the_next(bench: Bench) -> None:
    old = (channel := BrokerChannel()).session()
    await bench.consumer.start(old)
    await channel.deliver()
    old.end("lost")
    new = BrokerChannel().session()
    await bench.consumer.start(new)

    await bench.accepted[0].ack()

    assert bench.consumer.flow_on(new).unsettled == 0
    assert bench.consumer.flow_on(old) == Flow(None, 0, 0)


async def test_with_a_full_prefetch_in_hand_consumption_waits_for_room(bench: Bench) -> None:
    session = (channel := BrokerChannel()).session()
    await bench.consumer.start(session)
    for _ in range(PREFETCH):
        await channel.deliver()
    await bench.consumer.pause()

    await bench.consumer.resume()
    assert not channel.consumers
    await bench.accepted[0].ack()
    await bench.observer.until(lambda: bench.active)

    assert channel.consumers


async def test_one_message_is_fetched_while_paused(bench: Bench) -> None:
    session = (channel := BrokerChannel()).session()
    await bench.consumer.pause()
    await bench.consumer.start(session)
    channel.ready = [b"one", b"two"]

    incoming = await bench.consumer.take_one()

    assert incoming is not None
    assert incoming.delivery.body == b"one"
    assert channel.ready == [b"two"]
    assert bench.consumer.flow_on(session) == Flow(None, delivered=1, unsettled=1)


async def test_an_empty_queue_gives_nothing(bench: Bench) -> None:
    session = BrokerChannel().session()
    await bench.consumer.start(session)

    assert await bench.consumer.take_one() is None
    assert not session.ended.done()


async def test_without_a_session_nothing_is_fetched(bench: Bench) -> None:
    assert await bench.consumer.take_one() is None


async def test_a_fetch_that_is_not_answered_ends_the_session() -> None:
    bench = Bench(BRIEF)
    await bench.consumer.pause()
    session = BrokerChannel(iter([None])).session()
    await bench.consumer.start(session)

    assert await bench.consumer.take_one() is None
    assert session.ended.done()


async def test_what_is_fetched_for_a_caller_that_left_is_handed_back(bench: Bench) -> None:
    await bench.consumer.pause()
    session = (channel := BrokerChannel(iter([3]))).session()
    await bench.consumer.start(session)
    channel.ready = [b"m"]

    taking = asyncio.ensure_future(bench.consumer.take_one())
    await turns(2)
    taking.cancel()
    await asyncio.gather(taking, return_exceptions=True)
    await turns(10)

    assert [verdict for verdict, _ in channel.settled] == ["hand back"]
    assert not session.ended.done()


async def test_what_is_fetched_while_the_consumer_stops_is_handed_back(bench: Bench) -> None:
    await bench.consumer.pause()
    session = (channel := BrokerChannel(iter([3]))).session()
    await bench.consumer.start(session)
    channel.ready = [b"m"]

    taking = asyncio.ensure_future(bench.consumer.take_one())
    await turns(2)
    await bench.consumer.stop()

    assert await taking is None
    assert [verdict for verdict, _ in channel.settled] == ["hand back"]
