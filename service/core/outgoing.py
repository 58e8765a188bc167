"""Messages that the worker publishes, as plain values."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from service.core.value_class import value_class

APP_ID = "videogen-worker"
"""The `app_id` of every message that the worker writes itself."""


@value_class
class Route:
    """Where a message goes: an exchange ("" is the default exchange) and a routing key."""

    exchange: str
    routing_key: str


@value_class
class Outgoing:
    """A persistent message.

    Without a `message_id` the publisher makes one for every try. Only a request that moves to another queue keeps its
    own, and of one request only one such publish may be under way: the library pairs verdicts by `message_id`.
    """

    route: Route
    body: bytes
    content_type: str | None
    correlation_id: str | None
    timestamp: datetime | None
    type: str | None = None
    content_encoding: str | None = None
    headers: Mapping[str, object] | None = None
    message_id: str | None = None
    reply_to: str | None = None
    app_id: str | None = None
    priority: int | None = None


class PublishVerdict(StrEnum):
    """The broker's final word on one message."""

    CONFIRMED = "confirmed"
    RETURNED = "returned"
    NACKED = "nacked"
