"""Sends requests and hears answers, over as many connections as it takes."""

import asyncio
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from service.adapters.rabbitmq.link import Link, Session
from service.adapters.system import uniform
from service.client.errors import ClientClosed, NoAnswer, NotPublished, VideogenError
from service.client.line_state import LineState
from service.client.options import Way
from service.client.outbound import Asked, Outbound
from service.client.publishing import Publishing
from service.client.reply_address import reply_address
from service.core.facts import LinkRole
from service.core.result import Charged

if TYPE_CHECKING:
    from service.core.ports import Observer

_NAME = "videogen client"
_AGAIN_AT_ONCE = 100


class Exchange:
    """Requests out, answers in. What waits for an answer waits through lost connections and restarts of the broker.

    A context; it comes up although the broker is away. `observer` hears how the connection fares.
    """

    def __init__(self, way: Way, observer: "Observer | None" = None) -> None:
        self._timeout = way.link.connect_timeout
        self._waiting: dict[str, Asked] = {}
        self._ids: set[str] = set()
        self._state = LineState(observer)
        self._address = reply_address(way, self._on_answer)
        self._link = Link(LinkRole.PUBLISH, way.link, self._set_up, self._state, uniform, _NAME)
        self._publishing = Publishing(self._link, self._address, way.prefix, way.link.url.get_secret_value())
        self._tasks: list[asyncio.Task[None]] = []
        self._open = False

    @property
    def waiting(self) -> int:
        """How many requests wait for their answer."""
        return len(self._waiting)

    async def __aenter__(self) -> Self:
        self._open = True
        self._tasks = [asyncio.create_task(self._link.run()), asyncio.create_task(self._keep_asked())]
        for task in self._tasks:
            task.add_done_callback(self._on_defect)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open = False
        self._end_waits("The client was closed before the answer came.")
        linking, asking_again = self._tasks
        try:
            asking_again.cancel()
            if (line := self._publishing.line) is not None and not line.session.ended.done():
                await self._address.close(line.session)
        finally:
            linking.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def expect(self, outbound: Outbound) -> Asked:
        """Begin to wait for the answer to a request; whoever does must `forget` it.

        Raises:
            ClientClosed: this is not open.
            ValueError: the same request is waiting already; two answers could not be told apart by its id.
        """
        asked = Asked(outbound)
        if not self._open:
            raise _closed(asked, "The client is not open; use it within `async with`.")
        if asked.request_id in self._ids:
            raise ValueError(f"The request {asked.request_id} waits for its answer already; await that one.")
        self._ids.add(asked.request_id)
        self._waiting[asked.correlation_id] = asked
        return asked

    def forget(self, asked: Asked) -> None:
        """Wait no more."""
        if self._waiting.pop(asked.correlation_id, None) is not None:
            self._ids.discard(asked.request_id)
        asked.answer.cancel()

    async def publish(self, asked: Asked) -> None:
        """Publish until the broker confirmed it or its wait ended.

        Raises:
            ClientClosed: the wait ended before the broker confirmed it.
            NotPublished: the broker does not take it.
        """
        publishing = asyncio.create_task(self._publishing.publish(asked))
        try:
            either: set[asyncio.Future[Any]] = {publishing, asked.answer}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if publishing.done():
                publishing.result()
            elif (failure := asked.failure) is not None:
                raise failure
        finally:
            publishing.cancel()
            await asyncio.gather(publishing, return_exceptions=True)

    def gave_up(self, asked: Asked, timeout: float | None) -> VideogenError:
        """Say why a request has no answer, or is not even published, after `timeout` seconds."""
        within = f"within {timeout:g} s"
        if not asked.tried:
            return NotPublished(
                f"The request could not be published {within}: {self._state.why}. Nothing was sent; see to the broker "
                "and send it again.",
                request_id=asked.request_id,
                retryable=True,
                charged=Charged.NO,
            )
        sent = "published" if asked.taken_at is not None else "sent, but not confirmed by the broker,"
        return NoAnswer(
            f"The request {asked.request_id} was {sent} and has no answer {within}. See whether a worker runs. Where "
            "workers keep a ledger, asking again with the same request_id is safe: it gets the same task id.",
            request_id=asked.request_id,
            retryable=True,
            charged=Charged.UNKNOWN,
        )

    def _on_answer(self, correlation_id: str, body: bytes) -> None:
        # Not in the table: a repeated answer, or one that nobody waits for any more.
        if (asked := self._waiting.get(correlation_id)) is not None:
            asked.take(body)

    async def _set_up(self, session: Session) -> None:
        async with asyncio.timeout(self._timeout):
            await self._publishing.begin(session)

    async def _keep_asked(self) -> None:
        """Ask again where the address of the answers went away."""
        while True:
            line = await self._publishing.current()
            stale = [asked for asked in self._waiting.values() if asked.taken_at not in {None, line.number}]
            for first in range(0, len(stale), _AGAIN_AT_ONCE):
                await asyncio.gather(*map(self._ask_again, stale[first : first + _AGAIN_AT_ONCE]))
            await asyncio.wait({line.session.ended})

    async def _ask_again(self, asked: Asked) -> None:
        try:
            await self.publish(asked)
        except VideogenError as error:
            asked.fail(error)

    def _on_defect(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._open = False
            self._end_waits(f"The client ended by a defect ({error!r}); open a new one and report it.")

    def _end_waits(self, why: str) -> None:
        for asked in list(self._waiting.values()):
            asked.fail(_closed(asked, why))


def _charged(asked: Asked) -> Charged:
    return Charged.UNKNOWN if asked.tried else Charged.NO


def _closed(asked: Asked, why: str) -> ClientClosed:
    return ClientClosed(
        f"{why} Ask again with the same request_id, {asked.request_id}.",
        request_id=asked.request_id,
        retryable=True,
        charged=_charged(asked),
    )
