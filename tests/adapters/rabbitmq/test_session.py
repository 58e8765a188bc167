"""Waits that end with the session they belong to."""

import asyncio

import pytest

from tests.adapters.rabbitmq.broker_channel import BrokerChannel
from tests.support.fakes import GUARD


async def test_a_wait_ends_with_its_session() -> None:
    session = BrokerChannel().session()
    waiting = asyncio.Event()

    async def wait() -> None:
        async with session.lasting():
            waiting.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(wait())
    await waiting.wait()
    session.end("lost")
    async with asyncio.timeout(GUARD):
        with pytest.raises(TimeoutError):
            await task


async def test_on_a_session_that_has_ended_nobody_waits() -> None:
    session = BrokerChannel().session()
    session.end("lost")
    async with asyncio.timeout(GUARD):
        with pytest.raises(TimeoutError):
            async with session.lasting():
                await asyncio.Event().wait()


async def test_a_wait_can_be_broken_off_and_the_session_lasts() -> None:
    session = BrokerChannel().session()

    async def broken_off() -> None:
        async with session.lasting() as wait:
            wait.break_off()
            wait.break_off()
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await broken_off()
    assert not session.ended.done()


async def test_what_is_done_in_time_is_left_alone() -> None:
    session = BrokerChannel().session()
    async with session.lasting():
        pass
    session.end("later")


async def test_a_cancellation_from_outside_stays_one() -> None:
    session = BrokerChannel().session()
    waiting = asyncio.Event()

    async def wait() -> None:
        async with session.lasting():
            waiting.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(wait())
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
