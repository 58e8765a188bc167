"""One message as the core sees it: plain values, no broker object."""

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime, timedelta

from service.core.value_class import value_class


@value_class
class Delivery:
    """A request message, copied out of the broker library's own types.

    `headers` holds the AMQP header table with decoded values. `expiration` is the per-message
    time to live that the producer set; the broker measures it in the queue, the core from `timestamp`.
    `delivery_count` is how often the broker gave the message out before, as far as it tells (quorum queues do).
    """

    body: bytes
    message_id: str | None = None
    correlation_id: str | None = None
    reply_to: str | None = None
    content_type: str | None = None
    content_encoding: str | None = None
    timestamp: datetime | None = None
    expiration: timedelta | None = None
    headers: Mapping[str, object] = field(default_factory=dict)
    redelivered: bool = False
    delivery_count: int = 0
    type: str | None = None
    app_id: str | None = None
    priority: int | None = None


@value_class
class Identity:
    """What names a request towards its producer.

    `made_up` is true where the message carried no `message_id`: the request then has no protection
    against duplicates, because a redelivered copy would get another id (spec section 2).
    """

    request_id: str
    correlation_id: str
    made_up: bool
