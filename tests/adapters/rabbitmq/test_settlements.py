import asyncio
from collections.abc import Awaitable
from typing import cast

import pytest
from aiormq.abc import AbstractChannel
from aiormq.exceptions import ChannelInvalidStateError

from service.adapters.rabbitmq.settlements import Settled, Settlements
from tests.support.fakes import GUARD


class Channel:
    """A channel whose frames go out when the test lets them."""

    def __init__(self) -> None:
        self.told: list[tuple[str, int, bool]] = []
        self.open = asyncio.Event()
        self.fails: dict[int, Exception] = {}

    async def basic_ack(self, tag: int, *, wait: bool) -> None:
        await self._tell("ack", tag, wait=wait)

    async def basic_reject(self, tag: int, *, requeue: bool, wait: bool) -> None:
        assert requeue
        await self._tell("reject", tag, wait=wait)

    async def _tell(self, word: str, tag: int, *, wait: bool) -> None:
        await self.open.wait()
        if tag in self.fails:
            raise self.fails[tag]
        self.told.append((word, tag, wait))


class Bench:
    def __init__(self) -> None:
        self.channel = Channel()
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.settlements = Settlements(cast("AbstractChannel", self.channel), self.ended)

    async def tell(self, *tags: int) -> list[asyncio.Task[None]]:
        """Settle in tasks, and let them run as far as they can."""
        telling = [asyncio.create_task(self.settlements.tell(tag, Settled.DONE)) for tag in tags]
        for _ in range(5):
            await asyncio.sleep(0)  # one turn of the event loop, no time
        return telling


@pytest.fixture
async def bench() -> Bench:
    return Bench()


async def within_guard(waiting: Awaitable[object]) -> None:
    async with asyncio.timeout(GUARD):
        await waiting


async def test_what_is_settled_while_the_channel_is_busy_is_told_together(bench: Bench) -> None:
    first = await bench.tell(1)
    more = await bench.tell(2, 3)
    assert not any(task.done() for task in first + more)

    bench.channel.open.set()
    await within_guard(asyncio.gather(*first, *more))

    assert bench.channel.told == [("ack", 1, True), ("ack", 2, False), ("ack", 3, True)]


async def test_a_delivery_can_be_given_back(bench: Bench) -> None:
    bench.channel.open.set()

    await within_guard(bench.settlements.tell(7, Settled.REQUEUE))

    assert bench.channel.told == [("reject", 7, True)]


async def test_the_end_of_the_session_lets_everybody_go(bench: Bench) -> None:
    telling = await bench.tell(1) + await bench.tell(2, 3)

    bench.ended.set_result("lost")
    await within_guard(asyncio.gather(*telling))
    await within_guard(bench.settlements.tell(4, Settled.DONE))

    bench.channel.open.set()
    await bench.tell()
    assert bench.channel.told == []


async def test_whoever_gives_up_holds_nobody_else_up(bench: Bench) -> None:
    first, second = await bench.tell(1, 2)

    first.cancel()
    bench.channel.open.set()
    await within_guard(second)

    assert first.cancelled()
    assert [tag for _, tag, _ in bench.channel.told] == [1, 2]


async def test_a_channel_that_is_closed_needs_no_telling(bench: Bench) -> None:
    bench.channel.fails[1] = ChannelInvalidStateError("closed")
    bench.channel.open.set()

    await within_guard(asyncio.gather(*await bench.tell(1, 2)))

    assert bench.channel.told == [("ack", 2, True)]


async def test_a_defect_reaches_the_one_who_settles(bench: Bench) -> None:
    bench.channel.fails[1] = TypeError("a defect")
    bench.channel.open.set()
    first, second = await bench.tell(1, 2)

    await within_guard(second)
    with pytest.raises(TypeError, match="a defect"):
        await first


async def test_what_is_settled_later_is_told_too(bench: Bench) -> None:
    bench.channel.open.set()

    await within_guard(bench.settlements.tell(1, Settled.DONE))
    await within_guard(bench.settlements.tell(2, Settled.DONE))

    assert bench.channel.told == [("ack", 1, True), ("ack", 2, True)]
