"""Whose call starts next, and when: one line for all, first come, first served."""

import asyncio
import math
from collections import OrderedDict
from collections.abc import Coroutine

from service.core.call import CallResult, NotSent, RefusedForNow
from service.core.concurrency import Concurrency
from service.core.drain import Drain, Draining
from service.core.facts import PaceChanged
from service.core.gate import Gate
from service.core.ports import CallCap, Observer
from service.core.rate import AdaptiveRate, Start

# A rate grows with each call; telling each step would cost more than it tells.
_WORTH_TELLING = 0.05
# Timers keep time to a millisecond. One that is early must not be waited for a second time.
_AT_ONCE = 0.001


class TurnMissed(Exception):  # noqa: N818 - a signal, not an error
    """Raised where a request waited for its turn for as long as it may."""


class Turns:
    """Gives out turns: a call starts when a place is free, the rate allows it, and so does the cap.

    Only the first in line waits for these, and for nothing while it holds a place; all others wait for the one before
    them. Whoever leaves the line, for whatever reason, calls the next one: so a drain or a closing gate, which the
    first one hears of, empties the line.

    Learns from each call what the endpoint takes. `most` calls are in flight at once; no pause that a server asks for
    is longer than `longest_pause` seconds. Times are those of the event loop.
    """

    def __init__(
        self,
        most: int,
        gate: Gate,
        drain: Drain,
        observer: Observer,
        *,
        longest_pause: float,
        cap: CallCap | None = None,
    ) -> None:
        self._gate = gate
        self._drain = drain
        self._observer = observer
        self._cap = cap
        self._rate = AdaptiveRate(longest_pause)
        self._concurrency = Concurrency(most)
        self._told = PaceChanged(None, most)
        self._line: OrderedDict[asyncio.Future[None], None] = OrderedDict()
        self._stir: asyncio.Future[None] | None = None
        self._in_flight = 0

    @property
    def in_flight(self) -> int:
        """How many turns are taken and not given up yet."""
        return self._in_flight

    async def take(self, patience: float = math.inf) -> Start | None:
        """Wait at most `patience` seconds for a turn; None where the gate changed meanwhile and is to be asked again.

        Raises:
            Draining: the worker stops.
            TurnMissed: `patience` is over.
        """
        if self._drain.begun:
            raise Draining
        now = asyncio.get_running_loop().time()
        if not self._line and self._wait(now) <= _AT_ONCE and (self._cap is None or self._cap.ready()):
            if self._cap is not None:
                await self._cap.acquire()
            return self._begin(now)
        return await self._stand_in_line(patience)

    def give_up(self, *, made: bool) -> None:
        """Let go of a turn; `made` tells whether its call was made."""
        self._in_flight -= 1
        if not made:
            self._rate.not_made()
        if self._stir is not None and not self._stir.done():
            self._stir.set_result(None)

    def learn(self, start: Start, result: CallResult) -> None:
        """Hear what the call of a turn came to.

        Only 429 and its like slow the rate down. A 503, a 425 or a JSON 500 is a matter of one request or one server,
        and says nothing of how many calls are taken; the request waits, the others do not.
        """
        now = asyncio.get_running_loop().time()
        match result:
            case RefusedForNow(throttled=True, retry_after=retry_after):
                self._rate.refused(start, now, retry_after)
                self._tell()
            case NotSent():
                pass
            case _:
                self._rate.passed(start)
                self._concurrency.ended(now - start.at)

    async def _stand_in_line(self, patience: float) -> Start | None:
        seen = self._gate.closed
        called = asyncio.get_running_loop().create_future()
        self._line[called] = None
        try:
            async with asyncio.timeout(patience if patience < math.inf else None):
                if next(iter(self._line)) is not called:
                    await called
                return await self._first_in_line(seen)
        except TimeoutError:
            raise TurnMissed from None
        finally:
            del self._line[called]
            self._call_next()

    def _call_next(self) -> None:
        first = next(iter(self._line), None)
        if first is not None and not first.done():
            first.set_result(None)

    async def _first_in_line(self, seen: frozenset[object]) -> Start | None:
        capped = self._cap
        while True:
            if self._drain.begun:
                raise Draining
            if self._gate.closed != seen:
                return None
            now = asyncio.get_running_loop().time()
            if (wait := self._wait(now)) > _AT_ONCE:
                await self._unless_the_gate_changes(self._rest(wait))
            elif capped is not None:
                if await self._unless_the_gate_changes(capped.acquire()):
                    capped = None
            else:
                return self._begin(now)

    def _wait(self, now: float) -> float:
        return self._rate.wait(now) if self._in_flight < self._concurrency.limit else math.inf

    def _rest(self, seconds: float) -> Coroutine[object, object, object]:
        """Sleep; where the end of a call may be what is waited for, until one ends from now on."""
        if seconds < math.inf and self._rate.limit is not None:
            return asyncio.sleep(seconds)
        self._stir = asyncio.get_running_loop().create_future()
        return asyncio.wait({self._stir}, timeout=seconds if seconds < math.inf else None)

    async def _unless_the_gate_changes(self, work: Coroutine[object, object, object]) -> bool:
        """Await `work`; false where the gate changed first."""
        working, change = asyncio.ensure_future(work), asyncio.ensure_future(self._gate.change())
        try:
            await self._drain.race(asyncio.wait({working, change}, return_when=asyncio.FIRST_COMPLETED))
            return working.done()
        finally:
            working.cancel()
            change.cancel()

    def _begin(self, now: float) -> Start:
        # No await from here to the caller's `try`: a turn that nobody knows of would be lost for good.
        self._in_flight += 1
        start = self._rate.start(now)
        if self._told.rate is not None:
            self._tell()
        return start

    def _tell(self) -> None:
        rate, told = self._rate.limit, self._told
        self._concurrency.fit(rate)
        limit = self._concurrency.limit
        if (
            limit != told.concurrency
            or (rate is None) != (told.rate is None)
            or abs((rate or 0.0) - (told.rate or 0.0)) > _WORTH_TELLING * (told.rate or 0.0)
        ):
            self._told = PaceChanged(rate, limit)
            self._observer.notify(self._told)
