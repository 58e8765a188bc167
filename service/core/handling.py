"""One request, from its message to its outcome."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from service.core.call import (
    Answer,
    Blocked,
    Call,
    CallResult,
    FailedCall,
    NotSent,
    RefusedForGood,
    RefusedForNow,
    Uncertain,
)
from service.core.delivery import Delivery, Identity
from service.core.facts import DefectFound
from service.core.history import History, history_of
from service.core.identity import NO_MESSAGE_ID
from service.core.ledger import Known, SubmittedRecord
from service.core.outcome import (
    BlockedOut,
    Defect,
    Expired,
    Handled,
    InDoubt,
    Interrupted,
    Outcome,
    Postponed,
    RateLimited,
    Rejected,
    Repeated,
    Submitted,
    Unavailable,
    Withdrawn,
)
from service.core.placement import (
    AlreadyKnown,
    DeadlinePassed,
    Finished,
    GivenBack,
    Obtained,
    RunningElsewhere,
    Withheld,
)
from service.core.ports import Caller, Clock, Observer
from service.core.reading import Readable, RequestReader, Unreadable
from service.core.retry import OnUncertain, retry_reason
from service.core.second_tier import escalate, wait_on
from service.core.topology import RetryTier
from service.core.trace import trace_headers


@dataclass(frozen=True, slots=True)
class SecondTierPolicy:
    """The wait queues, and how long after its first delivery a request may still be called again."""

    tiers: tuple[RetryTier, ...]
    max_age: timedelta
    on_uncertain: OnUncertain = OnUncertain.PARK


class Handler:
    """Reads a message, has the call placed and names the outcome."""

    def __init__(
        self, reader: RequestReader, caller: Caller, policy: SecondTierPolicy, clock: Clock, observer: Observer
    ) -> None:
        self._reader = reader
        self._caller = caller
        self._policy = policy
        self._clock = clock
        self._observer = observer

    async def handle(self, delivery: Delivery, identity: Identity) -> Handled:
        """Bring one request to its outcome. Raises nothing but cancellation: a defect is an outcome too."""
        called, history = False, history_of(delivery, self._clock.now())
        warnings = (NO_MESSAGE_ID,) if identity.made_up else ()
        try:
            reading = self._reader.read(delivery)
            warnings = (*reading.warnings, *warnings)
            match reading:
                case Unreadable(outcome=outcome):
                    return Handled(await self._known(identity, history) or outcome, warnings)
                case Readable(request=request, deadline=deadline):
                    call = Call(
                        identity.request_id,
                        request,
                        trace_headers(delivery.headers),
                        history.attempts,
                        history.replay,
                        reply_to=delivery.reply_to,
                        correlation_id=identity.correlation_id,
                    )
                    called = True
                    return Handled(await self._place(call, deadline, history), warnings)
        except Exception as error:  # noqa: BLE001 - the last boundary before a message would be lost
            self._observer.notify(DefectFound(identity.request_id, error))
            return Handled(Defect(called=called, earlier=history.attempts), warnings)

    async def _known(self, identity: Identity, history: History) -> Outcome | None:
        """Tell what became of an earlier copy of a message that is no valid request: it may have been one before.

        The catalogue and the limits may have changed since it was called.
        """
        found = None if identity.made_up else await self._caller.look_up(identity.request_id)
        match found:
            case AlreadyKnown(known=known):
                return _outcome_of(known)
            case RunningElsewhere(seconds=seconds):
                return Postponed(wait_on(self._policy.tiers, seconds), history)
            case GivenBack():
                return Interrupted(history.attempts)
            case None:
                return InDoubt(Answer(), history.attempts) if history.doubt else None

    async def _place(self, call: Call, deadline: datetime | None, history: History) -> Outcome:
        if (wait := self._wait_asked_for(history)) > 0 and (time_left := self._time_left(history, deadline)) > 0:
            return Postponed(wait_on(self._policy.tiers, wait, time_left=time_left), history)
        placed = await self._caller.place(call, deadline)
        match placed:
            case Obtained(record=record):
                return Submitted(record)
            case Finished(result=result, attempts=attempts, doubt=doubt):
                return self._failed(result, deadline, _after(history, attempts, doubt=doubt))
            case AlreadyKnown(known=known):
                return _outcome_of(known)
            case RunningElsewhere(seconds=seconds, attempts=attempts, doubt=doubt):
                return Postponed(wait_on(self._policy.tiers, seconds), _after(history, attempts, doubt=doubt))
            case GivenBack(attempts=attempts):
                return Interrupted(history.attempts + attempts)
            case Withheld(attempts=attempts, doubt=doubt, last=last):
                past = _after(history, attempts, doubt=doubt)
                # A probe that failed once more after the retry budget ended.
                out_of_time = last is not None and self._clock.now() >= self._ends(past)
                return self._failed(last, deadline, past) if last and out_of_time else Withdrawn(past)
            case DeadlinePassed(attempts=attempts) if history.doubt:
                # The ledger has forgotten it; "expired" would claim that nothing was paid for.
                return InDoubt(Answer(), history.attempts + attempts)
            case DeadlinePassed(attempts=attempts):
                # Only a request with a deadline can be past it.
                return Expired(deadline or self._clock.now(), history.attempts + attempts)

    def _wait_asked_for(self, history: History) -> float:
        """Tell how many seconds the endpoint still does not want to be asked."""
        return 0.0 if history.not_before is None else (history.not_before - self._clock.now()).total_seconds()

    def _time_left(self, history: History, deadline: datetime | None) -> float:
        """Tell how many seconds deadline and retry budget leave."""
        ends = self._ends(history) if deadline is None else min(self._ends(history), deadline)
        return (ends - self._clock.now()).total_seconds()

    def _failed(self, result: FailedCall, deadline: datetime | None, past: History) -> Outcome:
        now = self._clock.now()
        if isinstance(result, Blocked) and now < self._ends(past):
            return Withdrawn(past)
        if retry_reason(result, self._policy.on_uncertain) is not None:
            past = replace(past, doubt=past.doubt or isinstance(result, Uncertain))
            ends = min(self._ends(past), deadline) if deadline is not None else self._ends(past)
            postponed = escalate(self._policy.tiers, past, floor=_floor(result), now=now, ends=ends)
            if postponed is not None:
                return Postponed(*postponed)
        # With a doubt, an earlier call may have been accepted, whatever the last one came to.
        if past.doubt:
            return InDoubt(result.answer, past.attempts, later_failed=not isinstance(result, Uncertain))
        return _failure_of(result, past.attempts)

    def _ends(self, history: History) -> datetime:
        return history.first_seen + self._policy.max_age


def _after(history: History, attempts: int, *, doubt: bool) -> History:
    return replace(history, attempts=history.attempts + attempts, doubt=history.doubt or doubt, not_before=None)


def _outcome_of(known: Known) -> Outcome:
    return Repeated(known) if isinstance(known, SubmittedRecord) else InDoubt(known.answer, known.attempts)


def _floor(result: CallResult) -> float:
    return (result.retry_after or 0.0) if isinstance(result, RefusedForNow) else 0.0


def _failure_of(result: FailedCall, attempts: int) -> Outcome:
    match result:
        case RefusedForGood(answer=answer):
            return Rejected(answer, attempts)
        case RefusedForNow(answer=answer, throttled=True):
            return RateLimited(answer, attempts)
        case RefusedForNow(answer=answer) | NotSent(answer=answer):
            return Unavailable(answer, attempts)
        case Blocked(answer=answer):
            return BlockedOut(answer, attempts)
        case Uncertain(answer=answer):
            return InDoubt(answer, attempts)
