"""Remembers what this process answered, for copies that the broker makes of messages whose ack was lost."""

from collections import OrderedDict
from dataclasses import dataclass, field
from hashlib import blake2b

from service.core.delivery import Delivery
from service.core.outcome import Handled
from service.core.settlement import HandBack, MoveThenAck, Settlement

Address = tuple[str | None, str]
"""Whom a reply is for: `reply_to` and correlation id."""


@dataclass(slots=True)
class Answered:
    """What became of a request, and how far that has been told."""

    handled: Handled
    settlement: Settlement
    told: set[Address] = field(default_factory=set)
    dead_lettered: bool = False


class Memory:
    """The last `limit` messages that this process settled.

    An ack that went into a dying connection never arrives, and the broker gives the message out again. Called again, it
    could come to something else than what was told. So the very same message gets the very same answer. Whether a
    request was paid for is the ledger's to know, not this module's.
    """

    def __init__(self, limit: int = 10_000) -> None:
        self._limit = limit
        self._answered: OrderedDict[bytes, Answered] = OrderedDict()

    def __len__(self) -> int:
        return len(self._answered)

    def recall(self, delivery: Delivery) -> Answered | None:
        """Find how a message is to be settled that may have been settled here before.

        A reply, and its copy for the operator, are told in full again: where the message is not the same but was
        published twice, silence would leave somebody without an answer. A move is not repeated: the moved one lives.
        """
        if not delivery.redelivered or (answered := self._answered.get(_mark(delivery))) is None:
            return None
        if isinstance(answered.settlement, MoveThenAck):
            return answered
        return Answered(answered.handled, answered.settlement)

    def keep(self, delivery: Delivery, answered: Answered) -> None:
        """Remember a message that was settled, unless it was handed back; the oldest one is forgotten."""
        if isinstance(answered.settlement, HandBack):
            return
        mark = _mark(delivery)
        self._answered[mark] = answered
        self._answered.move_to_end(mark)
        if len(self._answered) > self._limit:
            self._answered.popitem(last=False)


def _mark(delivery: Delivery) -> bytes:
    """Tell messages apart by all that their publisher wrote."""
    written = (
        delivery.message_id,
        delivery.correlation_id,
        delivery.reply_to,
        delivery.timestamp,
        delivery.expiration,
        sorted(delivery.headers.items(), key=repr),
        delivery.body,
    )
    return blake2b(repr(written).encode("utf-8", "surrogatepass"), digest_size=16).digest()
