"""Remembers requests that may have been paid for, so that a late copy is answered and not called again."""

from collections import OrderedDict
from dataclasses import dataclass, field

from service.core.outcome import Defect, Handled, InDoubt, Repeated, Submitted
from service.core.settlement import Settlement

Address = tuple[str | None, str]
"""Whom a reply is for: `reply_to` and correlation id."""


@dataclass(slots=True)
class Answered:
    """What became of a request, and how far that has been told."""

    handled: Handled
    settlement: Settlement
    told: set[Address] = field(default_factory=set)
    dead_lettered: bool = False

    @property
    def may_be_paid(self) -> bool:
        """Whether a further call could be a second charge."""
        match self.handled.outcome:
            case Submitted() | Repeated() | InDoubt() | Defect(called=True):
                return True
            case _:
                return False


class Memory:
    """The last `limit` such requests of this process, by request id.

    An ack that went into a dying connection never arrives, and the broker gives the message out again. This covers the
    life of the process; what must outlive it is the ledger's part.
    """

    def __init__(self, limit: int = 10_000) -> None:
        self._limit = limit
        self._answered: OrderedDict[str, Answered] = OrderedDict()

    def __len__(self) -> int:
        return len(self._answered)

    def recall(self, request_id: str, *, redelivered: bool) -> Answered | None:
        """Find what a copy of a request is to be answered.

        A request in doubt is answered to copies of the broker's making alone. Whoever published it anew may have been
        allowed another call (`resend`, a forced replay), which the ledger knows.
        """
        answered = self._answered.get(request_id)
        if answered is not None and not redelivered and isinstance(answered.handled.outcome, InDoubt):
            return None
        return answered

    def keep(self, request_id: str, answered: Answered) -> None:
        """Remember a request, if it may have been paid for; the oldest one is forgotten where there are too many."""
        if not answered.may_be_paid:
            return
        self._answered[request_id] = answered
        self._answered.move_to_end(request_id)
        if len(self._answered) > self._limit:
            self._answered.popitem(last=False)
