"""One request, from its message to its outcome."""

from datetime import datetime

from service.core.call import (
    Accepted,
    Blocked,
    Call,
    DeadlinePassed,
    FailedCall,
    Finished,
    GivenBack,
    NotSent,
    RefusedForGood,
    RefusedForNow,
    Uncertain,
)
from service.core.delivery import Delivery, Identity
from service.core.facts import DefectFound
from service.core.identity import NO_MESSAGE_ID
from service.core.outcome import (
    BlockedOut,
    Defect,
    Expired,
    Handled,
    InDoubt,
    Interrupted,
    Outcome,
    RateLimited,
    Rejected,
    Submitted,
    Unavailable,
)
from service.core.ports import Caller, Clock, Observer
from service.core.reading import Readable, RequestReader, Unreadable
from service.core.trace import trace_headers


class Handler:
    """Reads a message, checks its deadline, has the call placed and names the outcome."""

    def __init__(self, reader: RequestReader, caller: Caller, clock: Clock, observer: Observer) -> None:
        self._reader = reader
        self._caller = caller
        self._clock = clock
        self._observer = observer

    async def handle(self, delivery: Delivery, identity: Identity) -> Handled:
        """Bring one request to its outcome. Raises nothing but cancellation: a defect is an outcome too."""
        called = False
        warnings = (NO_MESSAGE_ID,) if identity.made_up else ()
        try:
            reading = self._reader.read(delivery)
            warnings = (*reading.warnings, *warnings)
            match reading:
                case Unreadable(outcome=outcome):
                    return Handled(outcome, warnings)
                case Readable(deadline=deadline) if deadline is not None and self._clock.now() >= deadline:
                    return Handled(Expired(deadline, attempts=0), warnings)
                case Readable(request=request, deadline=deadline):
                    call = Call(identity.request_id, request, trace_headers(delivery.headers))
                    called = True
                    return Handled(await self._place(call, deadline), warnings)
        except Exception as error:  # noqa: BLE001 - the last boundary before a message would be lost
            self._observer.notify(DefectFound(identity.request_id, error))
            return Handled(Defect(called=called), warnings)

    async def _place(self, call: Call, deadline: datetime | None) -> Outcome:
        placed = await self._caller.place(call, deadline)
        match placed:
            case Finished(result=result, attempts=attempts, doubt=doubt):
                if isinstance(result, Accepted):
                    return Submitted(result.task_id, call.request.model, attempts)
                # With a doubt, an earlier call may have been accepted, whatever the last one came to.
                return InDoubt(result.answer, attempts) if doubt else _failure_of(result, attempts)
            case GivenBack(attempts=attempts):
                return Interrupted(attempts)
            case DeadlinePassed(attempts=attempts):
                # Only a request with a deadline can be past it.
                return Expired(deadline or self._clock.now(), attempts)


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
