"""Messages that the worker publishes, as plain values."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Route:
    """Where a message goes: an exchange ("" is the default exchange) and a routing key."""

    exchange: str
    routing_key: str


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A persistent message. It has no `message_id`: the publisher makes one for every try."""

    route: Route
    body: bytes
    content_type: str | None
    correlation_id: str | None
    timestamp: datetime
    type: str | None = None
    content_encoding: str | None = None
    headers: Mapping[str, object] | None = None


class PublishVerdict(StrEnum):
    """The broker's final word on one message."""

    CONFIRMED = "confirmed"
    RETURNED = "returned"
    NACKED = "nacked"
