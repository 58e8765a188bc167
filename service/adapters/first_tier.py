"""The first retry tier, in process: tenacity turns the crank, `core.retry` says where to."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from tenacity import AsyncRetrying, RetryCallState

from service.core.call import Call, FailedCall, Uncertain
from service.core.drain import Draining
from service.core.facts import RetryPlanned
from service.core.gate import GateClosed, HeldTooLong
from service.core.ledger import DoubtRecord, Running, SubmittedRecord
from service.core.paid_call import Ended, Made, PaidCall, TooLate
from service.core.placement import (
    AlreadyKnown,
    DeadlinePassed,
    Finished,
    GivenBack,
    Obtained,
    Placed,
    RunningElsewhere,
    Withheld,
)
from service.core.ports import Admission, Clock, Observer
from service.core.retry import Again, RetryPolicy, Stop, next_step
from service.core.turns import TurnMissed


@dataclass(frozen=True, slots=True)
class FirstTier:
    """Keeps port `Caller`. `uniform` draws from [0, 1)."""

    paid_call: PaidCall
    admission: Admission
    policy: RetryPolicy
    clock: Clock
    observer: Observer
    uniform: Callable[[], float]

    async def place(self, call: Call, deadline: datetime | None) -> Placed:
        """Call until the result is final, the retry budget or the deadline ends, or no call may start."""
        return await _Placement(self, call, deadline).run()

    async def look_up(self, request_id: str) -> AlreadyKnown | RunningElsewhere | GivenBack | None:
        """Tell what is known of a request that must not be called; None where nothing is."""
        try:
            found = await self.paid_call.look_up(request_id)
        except HeldTooLong:
            return GivenBack(attempts=0)
        match found:
            case None:
                return None
            case Running(seconds=seconds):
                return RunningElsewhere(seconds)
            case SubmittedRecord() | DoubtRecord():
                return AlreadyKnown(found)


class _Placement:
    """One request on its way through the tier."""

    def __init__(self, tier: FirstTier, call: Call, deadline: datetime | None) -> None:
        self._tier = tier
        self._call = call
        self._deadline = deadline
        self._entered = tier.clock.monotonic()
        self._calls = 0
        self._doubt = False
        self._last: FailedCall | None = None
        self._step: Again | Stop = Stop()

    async def run(self) -> Placed:
        try:
            made = await self._attempt()
            if isinstance(self._step, Again):
                made = await self._go_on_from(made)
        except (Draining, HeldTooLong):
            # Handed back as it is, the message would not tell of a doubt.
            return self._withheld() if self._doubt else GivenBack(self._calls)
        except GateClosed:
            return self._withheld()
        except TurnMissed:
            # Its budget is over, so its last result stands; without one, others may have shorter lines.
            return Finished(self._last, self._calls, self._doubt) if self._last is not None else self._withheld()
        match made:
            case Obtained():
                return made
            case SubmittedRecord() | DoubtRecord():
                return AlreadyKnown(made)
            case Running(seconds=seconds):
                return RunningElsewhere(seconds, self._calls, self._doubt)
            case TooLate():
                # "Expired" would claim that nothing was paid for.
                in_doubt = self._last if self._doubt else None
                return Finished(in_doubt, self._calls, doubt=True) if in_doubt else DeadlinePassed(self._calls)
            case Ended(result=result):
                return Finished(result, self._calls, doubt=self._doubt)

    async def _attempt(self) -> Made:
        """Make one call and decide what comes after it."""
        self._step = Stop()
        attempt = self._call.earlier + self._calls + 1
        budget = self._tier.policy.budget - (self._tier.clock.monotonic() - self._entered)
        made = await self._tier.paid_call.make(self._call, attempt, self._deadline, turn_within=budget)
        if isinstance(made, Ended):
            self._calls += 1
            self._doubt = self._doubt or made.doubt
            self._decide(made.result)
        return made

    async def _go_on_from(self, first: Made) -> Made:
        """Pause and call again for as long as that is decided.

        Only where a first call was not the last: setting the library's loop up costs as much as all else that is done
        for a request.
        """
        before: list[Made] = [first]

        async def following() -> Made:
            return before.pop() if before else await self._attempt()

        crank = AsyncRetrying(
            retry=lambda _: isinstance(self._step, Again),
            wait=lambda _: self._step.delay if isinstance(self._step, Again) else 0.0,
            before_sleep=self._announce,
            sleep=self._tier.admission.pause,
        )
        made: Made = await crank(following)
        return made

    def _decide(self, result: FailedCall) -> None:
        self._step = next_step(
            self._tier.policy,
            result=result,
            attempt=self._calls,
            elapsed=self._tier.clock.monotonic() - self._entered,
            time_left=self._time_left(),
            u=self._tier.uniform(),
        )
        if isinstance(self._step, Again):
            self._last = result
            self._doubt = self._doubt or isinstance(result, Uncertain)

    def _announce(self, _: RetryCallState) -> None:
        if isinstance(self._step, Again):
            self._tier.observer.notify(
                RetryPlanned(self._call.request_id, self._step.reason, self._step.delay, self._calls)
            )

    def _withheld(self) -> Withheld:
        return Withheld(self._calls, doubt=self._doubt, last=self._last)

    def _time_left(self) -> float:
        if self._deadline is None:
            return math.inf
        return (self._deadline - self._tier.clock.now()).total_seconds()
