"""Fakes of the core's ports. Each holds the state that its port promises, so tests ask for state, not for calls."""

import asyncio
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Generic, TypeVar

from service.core.call import Accepted, Call, CallResult
from service.core.delivery import Delivery
from service.core.facts import Fact
from service.core.outgoing import Outgoing, PublishVerdict, Route
from service.core.placement import AlreadyKnown, GivenBack, Obtained, Placed, RunningElsewhere
from tests.support.records import record

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
GUARD = 10.0

_Answer = TypeVar("_Answer")
_Kind = TypeVar("_Kind")


class Changes:
    """Lets a test wait for a state: every change wakes it to look again."""

    def __init__(self) -> None:
        self._waiting: list[asyncio.Future[None]] = []

    def happened(self) -> None:
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            if not waiter.done():
                waiter.set_result(None)

    async def until(self, holds: Callable[[], bool], guard: float | None = GUARD) -> None:
        async with asyncio.timeout(guard):
            while not holds():
                waiter = asyncio.get_running_loop().create_future()
                self._waiting.append(waiter)
                await waiter


class FakeClock:
    """A clock that stands still until it is told to go on. Keeps port `Clock`."""

    def __init__(self, now: datetime = NEW_YEAR) -> None:
        self._now = now
        self._monotonic = 0.0

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)
        self._monotonic += seconds


class RecordingObserver:
    """Remembers facts. Keeps port `Observer`."""

    def __init__(self) -> None:
        self.facts: list[Fact] = []
        self._changes = Changes()

    def notify(self, fact: Fact) -> None:
        self.facts.append(fact)
        self._changes.happened()

    def of(self, kind: type[_Kind]) -> list[_Kind]:
        return [fact for fact in self.facts if isinstance(fact, kind)]

    async def wait_for(self, kind: type[_Kind], count: int = 1, guard: float = GUARD) -> list[_Kind]:
        await self._changes.until(lambda: len(self.of(kind)) >= count, guard)
        return self.of(kind)

    async def until(self, holds: Callable[[], bool], guard: float = GUARD) -> None:
        await self._changes.until(holds, guard)


class Verdict(StrEnum):
    """How a delivery was settled."""

    ACKED = "acked"
    HANDED_BACK = "handed_back"


class FakeIncoming:
    """A delivery that remembers its verdict. Keeps port `Incoming`.

    `lose()` is the end of its channel: the message is the broker's again, and settling does nothing any more.
    """

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery
        self._settled = False
        self.lost = False
        self.verdict: Verdict | None = None

    @property
    def delivery(self) -> Delivery:
        return self._delivery

    async def ack(self) -> None:
        self._settle(Verdict.ACKED)

    async def hand_back(self) -> None:
        self._settle(Verdict.HANDED_BACK)

    @property
    def untouched(self) -> bool:
        return not self._settled

    def lose(self) -> None:
        self.lost = True

    def _settle(self, verdict: Verdict) -> None:
        if self._settled:
            raise RuntimeError("this delivery was settled before")
        self._settled = True
        if not self.lost:
            self.verdict = verdict


class FakePublisher:
    """A broker's publishing side in memory. Keeps port `Publisher`.

    Every route takes messages until `refuse` says what its broker answers. While it is away, publishes wait,
    as they do on a lost connection; `go_away` with routes holds back those routes alone.
    """

    def __init__(self) -> None:
        self.confirmed: list[Outgoing] = []
        self.waiting: list[Outgoing] = []
        self._refusals: dict[Route, PublishVerdict | Exception] = {}
        self._away: frozenset[Route] | None = frozenset()
        self._changes = Changes()

    def refuse(self, route: Route, answer: PublishVerdict | Exception) -> None:
        self._refusals[route] = answer

    def go_away(self, *routes: Route) -> None:
        self._away = frozenset(routes) or None

    def come_back(self) -> None:
        self._away = frozenset()
        self._changes.happened()

    def at(self, route: Route) -> list[Outgoing]:
        return [message for message in self.confirmed if message.route == route]

    async def wait_for_waiting(self, count: int = 1) -> None:
        await self._changes.until(lambda: len(self.waiting) >= count)

    async def publish(self, message: Outgoing) -> PublishVerdict:
        await self._reach(message.route, message)
        match self._refusals.get(message.route):
            case None | PublishVerdict.CONFIRMED:
                self.confirmed.append(message)
                return PublishVerdict.CONFIRMED
            case PublishVerdict() as verdict:
                return verdict
            case error:
                raise error

    async def keep(self, message: Outgoing) -> None:
        await self._reach(message.route, message)
        # Only a queue of our own is published to in this way: it is there or made again, unless a defect is scripted.
        if isinstance(defect := self._refusals.get(message.route), Exception):
            raise defect
        self.confirmed.append(message)

    async def try_keep(self, message: Outgoing) -> bool:
        if self._refusals.get(message.route) is PublishVerdict.NACKED:
            await self._reach(message.route, message)
            return False
        await self.keep(message)
        return True

    async def _reach(self, route: Route, message: Outgoing) -> None:
        self.waiting.append(message)
        self._changes.happened()
        try:
            await self._changes.until(lambda: self._away is not None and route not in self._away)
        finally:
            self.waiting.remove(message)


class _Script(Generic[_Answer]):
    """Answers in the order of a script, the last answer for ever; `hold` keeps answers back."""

    def __init__(self, answers: tuple[_Answer | Exception, ...], otherwise: _Answer) -> None:
        self._answers = deque(answers)
        self._last: _Answer | Exception = otherwise
        self._held = False
        self._changes = Changes()
        self.calls: list[Call] = []

    def hold(self) -> None:
        self._held = True

    def release(self) -> None:
        self._held = False
        self._changes.happened()

    async def wait_for_calls(self, count: int = 1) -> None:
        await self._changes.until(lambda: len(self.calls) >= count)

    async def _answer(self, call: Call) -> _Answer:
        self.calls.append(call)
        if self._answers:
            self._last = self._answers.popleft()
        answer = self._last
        self._changes.happened()
        await self._changes.until(lambda: not self._held)
        if isinstance(answer, Exception):
            raise answer
        return answer


class ScriptedCaller(_Script[Placed]):
    """Places calls as its script says; accepts everything without one. Keeps port `Caller`.

    `known` is what a request that must not be called is found to be; it is empty at the start.
    """

    def __init__(self, *answers: Placed | Exception) -> None:
        super().__init__(answers, Obtained(record("task-1")))
        self.deadlines: list[datetime | None] = []
        self.known: dict[str, AlreadyKnown | RunningElsewhere | GivenBack] = {}
        self.looked_up: list[str] = []

    async def place(self, call: Call, deadline: datetime | None) -> Placed:
        self.deadlines.append(deadline)
        return await self._answer(call)

    async def look_up(self, request_id: str) -> AlreadyKnown | RunningElsewhere | GivenBack | None:
        self.looked_up.append(request_id)
        return self.known.get(request_id)


class ScriptedEndpoint(_Script[CallResult]):
    """Answers calls as its script says; accepts everything without one. Keeps port `Endpoint`."""

    def __init__(self, *answers: CallResult | Exception) -> None:
        super().__init__(answers, Accepted("task-1"))

    async def submit(self, call: Call) -> CallResult:
        return await self._answer(call)
