"""Remembers what this process answered, for copies that the broker makes of messages whose ack was lost."""

from collections import OrderedDict
from dataclasses import dataclass, field
from hashlib import blake2b

from service.core.delivery import Delivery
from service.core.history import history_headers
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


# Longer than a broker takes to come back or to notice a dead connection.
_BROKERS_COPY_WITHIN = 300.0


@dataclass(frozen=True, slots=True)
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
        somebody without an answer. A move is never repeated: the moved one lives.
        """
        if not delivery.redelivered or (kept := self._kept.get(_mark(delivery))) is None:
            return None
        if isinstance(kept.answered.settlement, MoveThenAck) or now - kept.at <= _BROKERS_COPY_WITHIN:
            return kept.answered
        return Answered(kept.answered.handled, kept.answered.settlement)

    def keep(self, delivery: Delivery, answered: Answered, now: float) -> None:
        """Remember a message that was settled, unless it may come again unsettled; the oldest one is forgotten."""
        if isinstance(answered.settlement, HandBack) or _moves_unchanged(delivery, answered.settlement):
            return
        mark = _mark(delivery)
        self._kept[mark] = _Kept(answered, now)
        self._kept.move_to_end(mark)
        if len(self._kept) > self._limit:
            self._kept.popitem(last=False)


def _moves_unchanged(delivery: Delivery, settlement: Settlement) -> bool:
    """Tell whether a message went to the end of its queue as it was.

    The one that lives cannot be told from the one that moved: recalled, it would be acked and lost.
    """
    if not isinstance(settlement, MoveThenAck) or settlement.tier is not None:
        return False
    return history_headers(settlement.history).items() <= delivery.headers.items()


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
