"""The first retry tier, in process: tenacity turns the crank, `core.retry` says where to."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from tenacity import AsyncRetrying, RetryCallState

from service.core.call import Call, CallResult, DeadlinePassed, Finished, GivenBack, Placed, Uncertain
from service.core.drain import Drain, Draining
from service.core.facts import CallEnded, RetryPlanned
from service.core.forbidden import ForbiddenStreak
from service.core.ports import Admission, Clock, Endpoint, Observer
from service.core.retry import Again, RetryPolicy, Stop, next_step


@dataclass(frozen=True, slots=True)
class FirstTier:
    """Keeps port `Caller`. `uniform` draws from [0, 1); `streak` is shared by all requests."""

    endpoint: Endpoint
    admission: Admission
    drain: Drain
    policy: RetryPolicy
    clock: Clock
    observer: Observer
    uniform: Callable[[], float]
    streak: ForbiddenStreak

    async def place(self, call: Call, deadline: datetime | None) -> Placed:
        """Call until the result is final, the retry budget or the deadline ends, or the worker drains."""
        return await _Placement(self, call, deadline).run()


class _Placement:
    """One request on its way through the tier."""

    def __init__(self, tier: FirstTier, call: Call, deadline: datetime | None) -> None:
        self._tier = tier
        self._call = call
        self._deadline = deadline
        self._entered = tier.clock.monotonic()
        self._calls = 0
        self._doubt: Uncertain | None = None
        self._step: Again | Stop = Stop()

    async def run(self) -> Placed:
        crank = AsyncRetrying(
            retry=self._judge, wait=self._wait, before_sleep=self._announce, sleep=self._tier.drain.pause
        )
        try:
            result: CallResult | None = await crank(self._attempt)
        except Draining:
            return GivenBack(self._calls)
        if result is not None:
            return Finished(result, self._calls, doubt=self._doubt is not None)
        if self._doubt is not None:
            # "Expired" would claim that nothing was paid for.
            return Finished(self._doubt, self._calls)
        return DeadlinePassed(self._calls)

    async def _attempt(self) -> CallResult | None:
        """Make one call; None where the deadline passed while the request waited for its turn."""
        clock = self._tier.clock
        async with self._tier.admission.slot():
            if self._time_left() <= 0:
                return None
            self._calls += 1
            started = clock.monotonic()
            result = self._tier.streak.judge(await self._tier.endpoint.submit(self._call))
            seconds = clock.monotonic() - started
        self._tier.observer.notify(CallEnded(self._call.request_id, result, seconds, self._calls))
        return result

    def _judge(self, state: RetryCallState) -> bool:
        """Decide once for each call; tenacity's other questions are answered from the same decision."""
        outcome = state.outcome
        if outcome is None or outcome.failed or (result := outcome.result()) is None:
            return False
        self._step = next_step(
            self._tier.policy,
            result=result,
            attempt=self._calls,
            elapsed=self._tier.clock.monotonic() - self._entered,
            time_left=self._time_left(),
            u=self._tier.uniform(),
        )
        if isinstance(self._step, Again) and isinstance(result, Uncertain):
            self._doubt = result
        return isinstance(self._step, Again)

    def _wait(self, _: RetryCallState) -> float:
        return self._step.delay if isinstance(self._step, Again) else 0.0

    def _announce(self, _: RetryCallState) -> None:
        if self._tier.drain.begun:
            raise Draining
        if isinstance(self._step, Again):
            self._tier.observer.notify(
                RetryPlanned(self._call.request_id, self._step.reason, self._step.delay, self._calls)
            )

    def _time_left(self) -> float:
        if self._deadline is None:
            return math.inf
        return (self._deadline - self._tier.clock.now()).total_seconds()
