"""One message being processed, as a span."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from opentelemetry.trace import SpanKind

from service.adapters.tracing import conventions as names
from service.adapters.tracing.calls import count_calls_from_here
from service.adapters.tracing.context import context_in
from service.adapters.tracing.conventions import Attributes
from service.adapters.tracing.spans import Spans
from service.core.delivery import Delivery, Identity
from service.core.history import history_of

_PROCESS = "process"


class TracedProcessing:
    """Keeps port `Tracing`: a span for each message, below the one that its headers name. `server` is the broker's."""

    def __init__(self, spans: Spans, queue: str, server: Attributes) -> None:
        self._spans = spans
        self._name = f"{_PROCESS} {queue}"
        self._common = {
            names.MESSAGING_SYSTEM: names.RABBITMQ,
            names.OPERATION_NAME: _PROCESS,
            names.OPERATION_TYPE: _PROCESS,
            names.DESTINATION_NAME: queue,
            **server,
        }

    @contextmanager
    def processing(self, delivery: Delivery, identity: Identity) -> Iterator[None]:
        """Stand for the work on one message; see the port."""
        attributes = self._common | _attributes(delivery, identity)
        with self._spans.current(self._name, SpanKind.CONSUMER, attributes, context_in(delivery.headers)):
            count_calls_from_here()
            yield


def _attributes(delivery: Delivery, identity: Identity) -> dict[str, str | int | bool]:
    history = history_of(delivery, datetime.now(UTC))
    return {
        names.MESSAGE_ID: identity.request_id,
        names.CONVERSATION_ID: identity.correlation_id,
        names.BODY_SIZE: len(delivery.body),
        names.REDELIVERED: delivery.redelivered,
        names.CALLS_BEFORE: history.attempts,
        names.POSTPONED: history.postponed,
    }
