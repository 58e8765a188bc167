"""One delivery: a plain copy of its message, and the right to settle it."""

from collections.abc import Callable
from datetime import timedelta

from aiormq.abc import DeliveredMessage

from service.adapters.rabbitmq.settlements import Settled, Settlements
from service.core.delivery import Delivery

_DELIVERY_COUNT = "x-delivery-count"
# The broker's own counts of this delivery. RabbitMQ 4.0 takes over a count that a client publishes.
_COUNTS = frozenset({_DELIVERY_COUNT, "x-acquired-count"})


class RabbitIncoming:
    """One delivery and the right to settle it, exactly once. Keeps port `Incoming`.

    `settled` is called once, when the broker has been told, or when there is nobody left to tell.
    """

    def __init__(
        self, message: DeliveredMessage, settlements: Settlements, settled: Callable[[], None] = lambda: None
    ) -> None:
        self._tag = message.delivery_tag or 0
        self._settlements = settlements
        self._on_settled = settled
        self._settled = False
        self._delivery = delivery_of(message)

    @property
    def delivery(self) -> Delivery:
        """The message as the core sees it."""
        return self._delivery

    async def ack(self) -> None:
        """Tell the broker that the message is done with."""
        await self._settle(Settled.DONE)

    async def hand_back(self) -> None:
        """Give the message back to its queue."""
        await self._settle(Settled.REQUEUE)

    async def _settle(self, settled: Settled) -> None:
        if self._settled:
            raise RuntimeError("this delivery was settled before")
        self._settled = True
        try:
            await self._settlements.tell(self._tag, settled)
        finally:
            self._on_settled()


def delivery_of(message: DeliveredMessage) -> Delivery:
    """Copy a message out of the library's type."""
    properties = message.header.properties
    headers = properties.headers or {}
    return Delivery(
        body=message.body,
        message_id=properties.message_id or None,
        correlation_id=properties.correlation_id or None,
        reply_to=properties.reply_to or None,
        content_type=properties.content_type or None,
        content_encoding=properties.content_encoding or None,
        timestamp=properties.timestamp,
        expiration=_milliseconds(properties.expiration),
        headers={name: value for name, value in headers.items() if name not in _COUNTS},
        redelivered=bool(message.redelivered),
        delivery_count=_count(headers.get(_DELIVERY_COUNT)),
        type=properties.message_type or None,
        app_id=properties.app_id or None,
        priority=properties.priority,
    )


def _count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _milliseconds(text: str | None) -> timedelta | None:
    # The broker checks the form on publish, but not that a timedelta can hold it.
    try:
        return timedelta(milliseconds=int(text)) if text else None
    except (ValueError, OverflowError):
        return None
