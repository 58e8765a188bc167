"""A message that is published, and its broker, in attributes. Needs no OpenTelemetry."""

from yarl import URL

from service.adapters.tracing import conventions as names
from service.adapters.tracing.conventions import Attributes
from service.core.outgoing import Route

PUBLISH = "publish"
_SEND = "send"


def broker_at(url: str) -> Attributes:
    """Name the broker at an address; user and password are left out."""
    read = URL(url)
    port = read.explicit_port or (5671 if read.scheme == "amqps" else 5672)
    return {names.SERVER_ADDRESS: read.host or "localhost", names.SERVER_PORT: port}


def destination_of(route: Route) -> str:
    """Name where a message goes, as the conventions for RabbitMQ do: what is empty falls away with its colon."""
    return ":".join(part for part in (route.exchange, route.routing_key) if part)


def publishing_of(route: Route, body: bytes, message_id: str | None, correlation_id: str | None) -> Attributes:
    """Describe the publish of one message."""
    ids = {names.MESSAGE_ID: message_id, names.CONVERSATION_ID: correlation_id}
    return {
        names.MESSAGING_SYSTEM: names.RABBITMQ,
        names.OPERATION_NAME: PUBLISH,
        names.OPERATION_TYPE: _SEND,
        names.DESTINATION_NAME: destination_of(route),
        names.ROUTING_KEY: route.routing_key,
        names.BODY_SIZE: len(body),
        **{name: text for name, text in ids.items() if text},
    }
