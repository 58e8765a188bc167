import asyncio
import socket
import time

import pytest
from aio_pika.exceptions import ChannelInvalidStateError

from service.adapters.rabbitmq.asking import ask
from service.adapters.rabbitmq.errors import LinkLost
from service.adapters.rabbitmq.link import Session
from tests.adapters.rabbitmq.broker_channel import BrokerChannel
from tests.support.fakes import GUARD

BRIEF = 0.02


@pytest.fixture
async def session() -> Session:
    return BrokerChannel().session()


async def never() -> None:
    await asyncio.get_running_loop().create_future()


async def test_an_answer_is_passed_on(session: Session) -> None:
    assert await ask(session, asyncio.sleep(0, "answer"), GUARD) == "answer"
    assert not session.ended.done()


async def test_without_an_answer_the_session_ends(session: Session) -> None:
    with pytest.raises(LinkLost, match="did not answer in time"):
        await ask(session, never(), BRIEF)

    assert session.ended.result() == "the broker did not answer in time"


async def test_a_question_that_cannot_be_cancelled_holds_nobody_up(session: Session) -> None:
    async def stubborn() -> None:
        for _ in range(3):
            try:
                await never()
            except asyncio.CancelledError:
                continue

    question = asyncio.ensure_future(stubborn())
    with pytest.raises(LinkLost):
        await ask(session, question, BRIEF)

    assert not question.done()
    while not question.done():
        question.cancel()
        await asyncio.sleep(0)  # one turn of the event loop, no time


async def test_an_error_of_the_library_ends_the_session_with_its_words(session: Session) -> None:
    async def fail() -> None:
        raise ChannelInvalidStateError("no such channel")

    with pytest.raises(LinkLost, match="no such channel"):
        await ask(session, fail(), GUARD)

    assert "no such channel" in session.ended.result()


async def test_a_channel_that_cancels_its_futures_is_a_lost_link(session: Session) -> None:
    question = asyncio.get_running_loop().create_future()
    question.cancel()

    with pytest.raises(LinkLost, match="the channel closed"):
        await ask(session, question, GUARD)


async def test_the_end_of_the_session_ends_the_wait(session: Session) -> None:
    asking = asyncio.ensure_future(ask(session, never(), GUARD))
    await asyncio.sleep(0)  # one turn of the event loop, no time
    session.end("lost")

    with pytest.raises(LinkLost, match="lost"):
        await asking


async def test_an_answer_that_lies_in_the_socket_after_a_stall_still_counts(session: Session) -> None:
    ours, theirs = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=ours)

    async def read() -> bytes:
        answer = await reader.readexactly(2)
        for _ in range(10):
            await asyncio.sleep(0)  # a turn of the event loop for each hand that the library gives it to
        return answer

    asking = asyncio.ensure_future(ask(session, read(), BRIEF))
    await asyncio.sleep(0)  # one turn of the event loop, no time
    theirs.send(b"ok")
    time.sleep(2 * BRIEF)  # noqa: ASYNC251 - the stall

    assert await asking == b"ok"
    writer.close()
    theirs.close()
