"""Workers at full work before an endpoint with a limit, in virtual time: real tiers, turns and ledgers, no sockets."""

import asyncio
import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from math import ceil

from service.adapters.first_tier import FirstTier
from service.adapters.ledger.tenure import Tenure
from service.adapters.ledger.volatile import VolatileLedger
from service.core.admission import GatedAdmission
from service.core.bookkeeping import Bookkeeping
from service.core.call import Accepted, Answer, Call, CallResult, RefusedForNow
from service.core.contract import VideoRequest
from service.core.drain import Drain
from service.core.endpoint_health import EndpointHealth
from service.core.gate import Gate
from service.core.paid_call import PaidCall
from service.core.placement import Obtained, Placed
from service.core.ports import CallCap
from service.core.retry import RetryPolicy
from service.core.turns import Turns
from service.simulator.rate_limit import TokenBucket
from tests.support.fakes import NEW_YEAR, RecordingObserver
from tests.support.virtual_time import loop_time

REQUEST = VideoRequest(prompt="a cat", model="wan2.2-t2v-plus")


class LoopClock:
    """Keeps port `Clock` on the time of the event loop."""

    def now(self) -> datetime:
        return NEW_YEAR + timedelta(seconds=loop_time())

    def monotonic(self) -> float:
        return loop_time()


@dataclass(frozen=True)
class Heard:
    """One call as the endpoint saw it."""

    at: float
    worker: int
    accepted: bool


class LimitedEndpoint:
    """Takes `limit` calls a second, with a second's worth saved up, as the simulator does. None: all.

    Besides, a share of all calls is refused `at_random`, without a `Retry-After`.
    """

    def __init__(
        self, limit: float | None, *, latency: float, retry_after: bool, refuse_in: float | None, at_random: float
    ) -> None:
        self._bucket = None if limit is None else TokenBucket(limit)
        self._latency = latency
        self._retry_after = retry_after
        self._refuse_in = refuse_in
        self._at_random = at_random
        self._random = random.Random(4711)
        self._ids = count()
        self.calls: list[Heard] = []

    def change(self, limit: float) -> None:
        self._bucket = TokenBucket(limit)
        while self._bucket.take(loop_time()) is None:
            pass  # a new limit begins with nothing saved up

    async def meet(self, worker: int) -> CallResult:
        await asyncio.sleep(0.005)
        if self._random.random() < self._at_random:
            self.calls.append(Heard(loop_time(), worker, accepted=False))
            return RefusedForNow(Answer(429), throttled=True, retry_after=None)
        wait = None if self._bucket is None else self._bucket.take(loop_time())
        self.calls.append(Heard(loop_time(), worker, wait is None))
        latency = self._latency * (0.75 + 0.5 * self._random.random())
        if wait is None:
            await asyncio.sleep(latency)
            return Accepted(f"t-{next(self._ids)}")
        await asyncio.sleep(latency if self._refuse_in is None else self._refuse_in)
        return RefusedForNow(Answer(429), throttled=True, retry_after=ceil(wait) if self._retry_after else None)


@dataclass(frozen=True)
class Door:
    """The endpoint as one worker sees it. Keeps port `Endpoint`."""

    endpoint: LimitedEndpoint
    worker: int

    async def submit(self, call: Call) -> CallResult:
        return await self.endpoint.meet(self.worker)


class RateWorker:
    """Everything between a message in hand and the endpoint."""

    def __init__(self, endpoint: LimitedEndpoint, number: int, concurrency: int, cap: CallCap | None = None) -> None:
        self.observer = RecordingObserver()
        self.drain = Drain()
        self.gate = Gate(self.drain, self.observer, 30.0)
        policy = RetryPolicy()
        self.turns = Turns(concurrency, self.gate, self.drain, self.observer, longest_pause=policy.budget, cap=cap)
        admission = GatedAdmission(self.turns, self.gate)
        clock = LoopClock()
        ledger = VolatileLedger(Tenure("here", timedelta(minutes=1), timedelta(days=7), clock))
        paid_call = PaidCall(
            endpoint=Door(endpoint, number),
            books=Bookkeeping(ledger, self.gate, self.observer, 30.0),
            admission=admission,
            health=EndpointHealth(self.gate, 10, 50),
            clock=clock,
            observer=self.observer,
            resend=False,
            patience=30.0,
        )
        draws = random.Random(number)
        self.tier = FirstTier(paid_call, admission, policy, clock, self.observer, draws.random)
        self.placed: list[Placed] = []
        self._number = number
        self._ids = count()
        self._hands: list[asyncio.Task[None]] = []

    async def place(self) -> Placed:
        return await self.tier.place(Call(f"{self._number}-{next(self._ids)}", REQUEST, {}), None)

    def work(self, hands: int) -> None:
        """Take one request after the other, `hands` at once."""
        self._hands = [asyncio.create_task(self._work()) for _ in range(hands)]

    async def rest(self) -> None:
        for hand in self._hands:
            hand.cancel()
        await asyncio.gather(*self._hands, return_exceptions=True)

    async def _work(self) -> None:
        while True:
            self.placed.append(await self.place())

    @property
    def gave_up(self) -> int:
        """Requests that had used up their attempts."""
        return sum(not isinstance(placed, Obtained) for placed in self.placed)


@dataclass
class RateScene:
    """`workers` before one endpoint. `refuse_in`: seconds that a refusal takes; None: as long as any call."""

    limit: float | None
    workers: int = 1
    latency: float = 0.2
    retry_after: bool = True
    refuse_in: float | None = 0.005
    concurrency: int = 64
    at_random: float = 0.0
    team: list[RateWorker] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.endpoint = LimitedEndpoint(
            self.limit,
            latency=self.latency,
            retry_after=self.retry_after,
            refuse_in=self.refuse_in,
            at_random=self.at_random,
        )

    async def run(self, seconds: float, changes: tuple[tuple[float, float], ...] = ()) -> None:
        for number in range(self.workers):
            self.team.append(RateWorker(self.endpoint, number, self.concurrency))
            self.team[-1].work(self.concurrency)
            await asyncio.sleep(0.003)  # no two processes start at the same moment
        for at, limit in changes:
            await asyncio.sleep(at - loop_time())
            self.endpoint.change(limit)
        await asyncio.sleep(seconds - loop_time())
        for worker in self.team:
            await worker.rest()

    def goodput(self, since: float, until: float) -> float:
        """Accepted calls per second."""
        return sum(call.accepted for call in self._between(since, until)) / (until - since)

    def refused(self, since: float, until: float) -> float:
        """The share of calls that were refused."""
        calls = self._between(since, until)
        return sum(not call.accepted for call in calls) / len(calls)

    def deviation(self, since: float, until: float) -> float:
        """How far the worker that is farthest from the mean is from it, as a share."""
        shares = [
            sum(call.accepted and call.worker == number for call in self._between(since, until))
            for number in range(self.workers)
        ]
        mean = sum(shares) / self.workers
        return max(abs(share / mean - 1) for share in shares)

    def _between(self, since: float, until: float) -> list[Heard]:
        return [call for call in self.endpoint.calls if since <= call.at < until]
