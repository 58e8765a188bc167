import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest
from aio_pika.abc import AbstractConnection
from aiormq import spec

from service.adapters.rabbitmq.consumer import Flow, RabbitConsumer
from service.adapters.rabbitmq.consumer_watch import suspicion, watch_consumption
from service.adapters.rabbitmq.link import Link, Session
from service.core.ports import Incoming
from tests.adapters.rabbitmq.broker_channel import BrokerChannel
from tests.support.fakes import GUARD, RecordingObserver

PREFETCH = 3


@pytest.mark.parametrize(
    ("unsettled", "ready", "consumers"),
    [
        pytest.param(0, 0, 1, id="an empty queue"),
        pytest.param(PREFETCH, 9, 1, id="a full prefetch"),
        pytest.param(PREFETCH + 1, 9, 1, id="a full prefetch and one that was fetched"),
    ],
)
def test_what_fits_is_not_suspected(unsettled: int, ready: int, consumers: int) -> None:
    assert suspicion(Flow("tag", 9, unsettled), PREFETCH, ready, consumers) is None


def test_nobody_who_does_not_consume_is_suspected() -> None:
    assert suspicion(Flow(None, 9, 0), PREFETCH, ready=9, consumers=0) is None


def test_a_queue_without_a_consumer_has_lost_ours() -> None:
    assert suspicion(Flow("tag", 0, PREFETCH), PREFETCH, ready=0, consumers=0) == "the broker has lost our consumer"


def test_messages_that_wait_while_there_is_room_are_held_back() -> None:
    held_back = suspicion(Flow("tag", 9, PREFETCH - 1), PREFETCH, ready=1, consumers=2)
    assert held_back == "the broker holds messages back from our consumer"


async def nothing() -> None:
    """Let nothing happen between two checks."""


class Checked:
    """A consumer whose broker answers each check from a list of (ready, consumers), after `between`."""

    def __init__(
        self, answers: list[tuple[int, int]], between: Callable[["Checked"], Awaitable[None]] = lambda _: nothing()
    ) -> None:
        self._answers = iter(answers)
        self._between = between
        self._all_given = asyncio.Event()
        self.broker = BrokerChannel()
        self._session = self.broker.session()
        self._session.connection = cast("AbstractConnection", self)
        self.accepted: list[Incoming] = []
        self._consumer = RabbitConsumer("q", PREFETCH, self.accepted.append, RecordingObserver())

    async def channel(self, *, publisher_confirms: bool) -> "Checked":
        """Stand in for the connection, and for the channel of the checks on both of its floors."""
        assert not publisher_confirms
        return self

    async def get_underlay_channel(self) -> "Checked":
        return self

    async def queue_declare(self, _queue: str, *, passive: bool) -> spec.Queue.DeclareOk:
        assert passive
        await self._between(self)
        answer = next(self._answers, None)
        if answer is None:
            self._all_given.set()
            await asyncio.get_running_loop().create_future()
        ready, consumers = answer or (0, 0)
        return spec.Queue.DeclareOk("q", ready, consumers)

    async def session(self) -> Session:
        """Stand in for the link, which has this session alone."""
        if self._session.ended.done():
            await asyncio.get_running_loop().create_future()
        return self._session

    async def outcome(self) -> str | None:
        """Tell why the session ended; None where it survived all checks."""
        await self._consumer.start(self._session)
        watching = asyncio.create_task(watch_consumption(cast("Link", self), self._consumer, 0.001, GUARD))
        all_given = asyncio.create_task(self._all_given.wait())
        waits: set[asyncio.Future[Any]] = {all_given, self._session.ended}
        await asyncio.wait(waits, timeout=GUARD, return_when=asyncio.FIRST_COMPLETED)
        survived = all_given.done()
        for task in (watching, all_given):
            task.cancel()
        await asyncio.gather(watching, all_given, return_exceptions=True)
        return None if survived else self._session.ended.result()


@pytest.mark.parametrize("odd", [(0, 0), (5, 1)])
async def test_what_is_odd_at_one_check_alone_proves_nothing(odd: tuple[int, int]) -> None:
    assert await Checked([odd, (0, 1)] * 5).outcome() is None


@pytest.mark.parametrize(
    ("odd", "reason"),
    [((0, 0), "the broker has lost our consumer"), ((5, 1), "the broker holds messages back from our consumer")],
)
async def test_what_is_still_odd_at_the_next_check_ends_the_session(odd: tuple[int, int], reason: str) -> None:
    assert await Checked([(0, 1), odd, odd, (0, 1)]).outcome() == reason


async def test_a_delivery_between_two_checks_proves_that_messages_come() -> None:
    async def one_comes_and_is_done(checked: Checked) -> None:
        await checked.broker.deliver()
        await checked.accepted[-1].ack()

    assert await Checked([(5, 1)] * 5, one_comes_and_is_done).outcome() is None
