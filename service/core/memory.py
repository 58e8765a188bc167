"""Remembers what this process answered, for copies that the broker makes of messages whose ack was lost."""

from collections import OrderedDict
from dataclasses import dataclass, field
from hashlib import blake2b

from service.core.delivery import Delivery
from service.core.outcome import Handled
from service.core.settlement import HandBack, MoveThenAck, Settlement
from service.core.value_class import value_class

Address = tuple[str | None, str]
"""Whom a reply is for: `reply_to` and correlation id."""


@dataclass(slots=True)
class Answered:
    """What became of a request, and how far that has been told."""

    handled: Handled
    settlement: Settlement
    told: set[Address] = field(default_factory=set)
    dead_lettered: bool = False


# Longer than a broker takes to come back or to notice a dead connection.
_BROKERS_COPY_WITHIN = 300.0


@value_class
class _Kept:
    answered: Answered
    at: float


class Memory:
    """The last `limit` messages that this process settled.

    An ack that went into a dying connection never arrives, and the broker gives the message out again. Called again, it
    could come to something else than what was told. So the very same message gets the very same answer. Whether a
    request was paid for is the ledger's to know, not this module's.
    """

    def __init__(self, limit: int = 10_000) -> None:
        self._limit = limit
        self._kept: OrderedDict[bytes, _Kept] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def recall(self, delivery: Delivery, now: float) -> Answered | None:
        """Find how a message is to be settled that may have been settled here before. `now` is monotonic, in seconds.

        Soon after, it is the broker's copy, and whoever was told is not told again. Later it may be another message
        that looks the same: a reply, and its copy for the operator, are told in full again, because silence could leave
        somebody without an answer. A move is not told at all then: what moved has ended, or the ledger knows of it.
        """
        if not delivery.redelivered or (kept := self._kept.get(_mark(delivery))) is None:
            return None
        if now - kept.at <= _BROKERS_COPY_WITHIN:
            return kept.answered
        if isinstance(kept.answered.settlement, MoveThenAck):
            return None
        return Answered(kept.answered.handled, kept.answered.settlement)

    def keep(self, delivery: Delivery, answered: Answered, now: float) -> None:
        """Remember a message that was settled, unless it was handed back; the oldest one is forgotten."""
        if isinstance(answered.settlement, HandBack):
            return
        mark = _mark(delivery)
        self._kept[mark] = _Kept(answered, now)
        self._kept.move_to_end(mark)
        if len(self._kept) > self._limit:
            self._kept.popitem(last=False)


def _mark(delivery: Delivery) -> bytes:
    """Tell messages apart by all that was written into them: by their publisher, and by a move (`x-move`)."""
    written = (
        delivery.message_id,
        delivery.correlation_id,
        delivery.reply_to,
        delivery.timestamp,
        delivery.expiration,
        sorted(delivery.headers.items(), key=repr),
    )
    mark = blake2b(repr(written).encode("utf-8", "surrogatepass"), digest_size=16)
    # As it is: a body may be far larger than what is worth reading.
    mark.update(delivery.body)
    return mark.digest()
