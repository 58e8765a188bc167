"""What a producer uses."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from types import EllipsisType, TracebackType
from typing import Self, cast

from typing_extensions import Unpack

from service.client.answer import Submitted, read_answer
from service.client.errors import VideogenError
from service.client.exchange import Exchange
from service.client.inbox import Answer, Inbox
from service.client.options import Options, way_of
from service.client.outbound import Asked
from service.client.request import Request, RequestFields

_DEFAULT = Options()


class VideogenClient:
    """Asks workers for videos over the broker at `url`.

    A context. It comes up although the broker is away, connects again by itself, and waits for what is pending.

    Raises:
        CertificateError: a certificate file of the options cannot be used.
        ValueError: the address is not one of a broker.
    """

    def __init__(self, url: str, options: Options = _DEFAULT) -> None:
        self._exchange = Exchange(way_of(url, options))
        self._timeout = options.timeout
        self._inbox = Inbox()

    @property
    def pending(self) -> int:
        """How many requests wait for their answer."""
        return self._exchange.waiting

    async def __aenter__(self) -> Self:
        await self._exchange.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._exchange.__aexit__(kind, error, trace)
        self._inbox.close()

    async def generate(
        self,
        *,
        timeout: float | EllipsisType | None = ...,  # noqa: ASYNC109 - the error tells what became of the request
        **fields: Unpack[RequestFields],
    ) -> Submitted:
        """Ask for one video and wait for its task id.

        `timeout` is in seconds; None waits for as long as it takes, nothing means that of the options.

        Raises:
            RequestFailed: the worker answered with an error.
            NotPublished: the broker did not take the request.
            NoAnswer: none came in time.
            BadAnswer: what came is no result.
            ClientClosed: the client is not open, or was closed meanwhile.
            ValueError: a field has the wrong type, or the same request is waiting already.
        """
        return await self._generate(Request(**fields), timeout)

    async def submit(self, *, timeout: float | EllipsisType | None = ..., **fields: Unpack[RequestFields]) -> str:  # noqa: ASYNC109
        """Publish one request, and return its id when the broker has confirmed it. `results` yields the answer.

        Raises:
            NotPublished: the broker did not take the request.
            NoAnswer: the broker did not confirm it in time; it may have it.
            ClientClosed: the client is not open, or was closed meanwhile.
            ValueError: a field has the wrong type, or the same request is waiting already.
        """
        asked = self._exchange.expect(Request(**fields).outbound())
        limit = self._limit(timeout)
        try:
            async with asyncio.timeout(limit):
                await self._exchange.publish(asked)
        except BaseException as error:
            self._exchange.forget(asked)
            if isinstance(error, TimeoutError):
                raise self._exchange.gave_up(asked, limit) from None
            raise
        self._inbox.expect_one()
        asked.answer.add_done_callback(lambda _: self._put(asked))
        return asked.request_id

    async def results(self, *, forever: bool = False) -> AsyncIterator[Answer]:
        """Yield the answers to what was submitted, as they come; errors come as values.

        Ends when there is none left to come; with `forever`, when the client is closed.
        """
        while (answer := await self._inbox.take(forever=forever)) is not None:
            yield answer

    async def generate_many(
        self, requests: Iterable[Request], *, concurrency: int = 100
    ) -> AsyncGenerator[Answer, None]:
        """Ask for many videos, at most `concurrency` at a time, and yield answers as they come; errors come as values.

        A request that cannot be sent at all (its id is waiting already) ends it with ValueError, after the answers to
        those that are under way: they may be paid for. Whoever leaves early cancels the rest: at once with
        `contextlib.aclosing`, else when the iterator is collected.
        """
        source = iter(requests)
        running: set[asyncio.Task[Answer]] = set()
        wrong: BaseException | None = None
        try:
            while True:
                while wrong is None and len(running) < concurrency and (request := next(source, None)) is not None:
                    running.add(asyncio.create_task(self._answer(request)))
                if not running:
                    break
                done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    if (error := task.exception()) is not None:
                        wrong = wrong or error
                    else:
                        yield task.result()
            if wrong is not None:
                raise wrong
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def _answer(self, request: Request) -> Answer:
        try:
            return await self._generate(request, self._timeout)
        except VideogenError as error:
            return error

    async def _generate(self, request: Request, timeout: float | EllipsisType | None) -> Submitted:  # noqa: ASYNC109
        limit = self._limit(timeout)
        asked = self._exchange.expect(request.outbound())
        try:
            async with asyncio.timeout(limit):
                await self._exchange.publish(asked)
                return _submitted(asked, await asked.answer)
        except TimeoutError:
            # It may have come at the very moment.
            if asked.answer.done() and not asked.answer.cancelled():
                return _submitted(asked, asked.answer.result())
            raise self._exchange.gave_up(asked, limit) from None
        finally:
            self._exchange.forget(asked)

    def _limit(self, timeout: float | EllipsisType | None) -> float | None:
        return self._timeout if isinstance(timeout, EllipsisType) else timeout

    def _put(self, asked: Asked) -> None:
        self._exchange.forget(asked)
        error = asked.answer.exception()
        answer = read_answer(asked.answer.result(), asked.request_id) if error is None else error
        self._inbox.put(answer if isinstance(answer, Submitted) else cast("VideogenError", answer))


def _submitted(asked: Asked, body: bytes) -> Submitted:
    answer = read_answer(body, asked.request_id)
    if isinstance(answer, VideogenError):
        raise answer
    return answer
