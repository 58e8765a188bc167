"""One question to the broker, with an end to the waiting."""

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

from service.adapters.rabbitmq.errors import LinkLost, describe, link_errors
from service.adapters.rabbitmq.link import Session

T = TypeVar("T")

# A stalled event loop lets a timer run out although the answer lies in the socket. It uses up one slice, not all.
_SLICES = 4


async def ask(session: Session, question: Awaitable[T], within: float) -> T:
    """Wait at most `within` seconds for the answer. Without one, and after any error, the session is over.

    Not `asyncio.timeout`: the library answers a cancellation with a further write, which a stuck connection holds up.

    Raises:
        LinkLost: no answer; the session has ended.
    """
    answer = asyncio.ensure_future(question)
    try:
        for _ in range(_SLICES):
            if await first_of(answer, session, within / _SLICES):
                break
        return _answer_in(answer, session)
    except LinkLost as lost:
        session.end(str(lost))
        raise
    finally:
        forget(answer)


async def first_of(answer: "asyncio.Future[T]", session: Session, within: float) -> bool:
    """Wait for an answer or the end of the session; tell whether either came."""
    waits: set[asyncio.Future[Any]] = {answer, session.ended}
    done, _ = await asyncio.wait(waits, timeout=within, return_when=asyncio.FIRST_COMPLETED)
    return bool(done)


def _answer_in(answer: "asyncio.Future[T]", session: Session) -> T:
    if session.ended.done():
        raise LinkLost(session.ended.result())
    if not answer.done():
        raise LinkLost(describe(TimeoutError()))
    with link_errors():
        answer.result()
    return answer.result()


def forget(answer: "asyncio.Future[T]") -> None:
    """Give up on an answer that nobody waits for any more."""
    answer.cancel()
    # asyncio complains of an exception that nobody looked at.
    answer.add_done_callback(lambda done: done.cancelled() or done.exception())
