"""One call under a claim: its intent is on record before its first byte leaves, its result before it is published."""

import math
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from service.core.bookkeeping import Bookkeeping
from service.core.call import Accepted, Answer, Call, CallResult, FailedCall, Uncertain
from service.core.endpoint_health import EndpointHealth
from service.core.facts import CallEnded, CallPrevented
from service.core.gate import HeldTooLong
from service.core.ledger import (
    Claimed,
    DoubtRecord,
    EntryDamaged,
    Found,
    Known,
    LedgerUnavailable,
    Permit,
    Running,
    SubmittedRecord,
)
from service.core.pending_task import Follow, PendingTask
from service.core.placement import Obtained
from service.core.ports import Admission, Clock, Endpoint, Observer, Turn
from service.core.turns import TurnMissed
from service.core.value_class import value_class

FoundT = TypeVar("FoundT", bound=Found)

# A ledger that comes and goes must not hold a message for ever.
_CLAIMS = 2


@value_class
class TooLate:
    """The deadline passed before the call could start."""


@value_class
class Ended:
    """The call was made and brought no task. `doubt`: a call before it may have been accepted."""

    result: FailedCall
    doubt: bool


Unmade = Known | Running | TooLate
Made = Obtained | Ended | Unmade


@dataclass(frozen=True, slots=True)
class PaidCall:
    """Makes single calls. `resend`: the operator lets a request in doubt be called again.

    `patience` is how many seconds may pass between asking for a claim and making its call: with the call itself they
    fit into the lease. `follow_after` is how many seconds after its acceptance a task is asked for first; None: nobody
    follows it.
    """

    endpoint: Endpoint
    books: Bookkeeping
    admission: Admission
    health: EndpointHealth
    clock: Clock
    observer: Observer
    resend: bool
    patience: float
    follow_after: float | None = None

    async def make(self, call: Call, attempt: int, deadline: datetime | None, turn_within: float = math.inf) -> Made:
        """Make the `attempt`-th call for a request, counted over all its deliveries, unless something forbids it.

        It waits at most `turn_within` seconds for its turn, and no longer than the deadline.

        Raises:
            Draining: the worker stops.
            GateClosed: the endpoint takes no calls for now.
            HeldTooLong: broker or ledger stayed away.
            TurnMissed: its turn did not come in time.
        """
        for _ in range(_CLAIMS):
            try:
                made = await self._in_turn(call, attempt, deadline, turn_within)
            except LedgerUnavailable:
                # The gate is closed now; it is waited at without a turn.
                continue
            if made is not None:
                return made
        raise HeldTooLong

    async def look_up(self, request_id: str) -> Known | Running | None:
        """Tell what the ledger knows of a request that is not called.

        Raises:
            HeldTooLong: the ledger is away.
        """
        try:
            return await self.books.find(request_id)
        except LedgerUnavailable:
            raise HeldTooLong from None
        except EntryDamaged as damaged:
            return _doubt_of(damaged, attempts=0)

    async def _in_turn(self, call: Call, attempt: int, deadline: datetime | None, turn_within: float) -> Made | None:
        """Wait for a turn and make the call; None where the gate closed while it got ready."""
        patience = min(turn_within, self._time_left(deadline))
        try:
            async with self.admission.turn(patience) as turn:
                claim = await self._claim(call, attempt, deadline)
                if not isinstance(claim, Claimed):
                    return claim
                if not turn.may_start():
                    # The gate closed, or the drain began, while the claim was written.
                    await self.books.note(call.request_id, None)
                    return None
                result = await self._submit(call, attempt, turn)
        except TurnMissed:
            if patience >= turn_within:
                raise
            return await self._look_back(call, attempt)
        if isinstance(result, Accepted):
            record = SubmittedRecord(result.task_id, call.request.model, attempt, self.clock.now())
            await self.books.note(call.request_id, record, self._follow(call, record))
            return Obtained(record)
        await self.books.note(
            call.request_id, DoubtRecord(result.answer, attempt) if isinstance(result, Uncertain) else None
        )
        return Ended(result, claim.doubt)

    async def _claim(self, call: Call, attempt: int, deadline: datetime | None) -> Claimed | Unmade:
        """Claim the call, unless something forbids it."""
        asked = self.clock.now()
        if self._time_left(deadline) <= 0:
            return await self._look_back(call, attempt)
        try:
            claim = await self.books.claim(call.request_id, attempt, Permit(self.resend, call.replay))
        except EntryDamaged as damaged:
            return self._kept(call, _doubt_of(damaged, attempt - 1))
        if not isinstance(claim, Claimed):
            return self._kept(call, claim)
        if self._time_left(deadline) <= 0 or (self.clock.now() - asked).total_seconds() > self.patience:
            # We were held up: the deadline is over, or others take our claim for a call that was cut.
            await self.books.note(call.request_id, None)
            if self._time_left(deadline) > 0:
                return Running(0.0, here=True)
            # A claim over a doubt leaves the doubt behind, and "too late" would claim that nothing was paid for.
            found = await self.look_up(call.request_id) if claim.doubt else None
            return self._kept(call, found) or TooLate()
        return claim

    async def _look_back(self, call: Call, attempt: int) -> Unmade:
        """Tell of a request whose deadline is over; what was accepted in time is told, even late."""
        try:
            found: Found = await self.books.find(call.request_id)
        except EntryDamaged as damaged:
            found = _doubt_of(damaged, attempt - 1)
        return self._kept(call, found) or TooLate()

    def _kept(self, call: Call, found: FoundT) -> FoundT:
        if isinstance(found, SubmittedRecord | DoubtRecord):
            self.observer.notify(CallPrevented(call.request_id, in_doubt=isinstance(found, DoubtRecord)))
        return found

    async def _submit(self, call: Call, attempt: int, turn: Turn) -> CallResult:
        epoch = self.health.begin()
        started = self.clock.monotonic()
        result = self.health.judge(await self.endpoint.submit(call), epoch)
        turn.came_to(result)
        self.observer.notify(CallEnded(call.request_id, result, self.clock.monotonic() - started, attempt))
        return result

    def _follow(self, call: Call, record: SubmittedRecord) -> Follow | None:
        if self.follow_after is None:
            return None
        task = PendingTask(
            task_id=record.task_id,
            request_id=call.request_id,
            model=record.model,
            submitted_at=record.at,
            correlation_id=call.request_id if call.correlation_id is None else call.correlation_id,
            reply_to=call.reply_to,
            trace=call.trace,
        )
        return Follow(task, self.follow_after)

    def _time_left(self, deadline: datetime | None) -> float:
        return math.inf if deadline is None else (deadline - self.clock.now()).total_seconds()


def _doubt_of(damaged: EntryDamaged, attempts: int) -> DoubtRecord:
    return DoubtRecord(Answer(message=str(damaged)), attempts)
