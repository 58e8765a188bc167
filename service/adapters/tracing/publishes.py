"""One publish, with all its tries, as a span."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from opentelemetry.trace import Link, Span, SpanKind, get_current_span

from service.adapters.tracing import conventions as names
from service.adapters.tracing.context import context_in, headers_of
from service.adapters.tracing.conventions import Attributes
from service.adapters.tracing.messaging import PUBLISH, destination_of, publishing_of
from service.adapters.tracing.spans import Spans, failed
from service.core.outgoing import Outgoing, PublishVerdict, Route
from service.core.ports import Publisher
from service.core.result import RESULT_TYPE
from service.core.topology import Topology
from service.core.trace import TRACEPARENT, TRACESTATE

_REPLY_TO = "{reply_to}"
"""Stands for the queues of producers, which are as many as there are producers."""


class TracedPublisher:
    """Keeps port `Publisher`: a span for each message, which results name in their headers.

    What else is published keeps the headers of its producer, where these name a span. `server` is the broker's.
    """

    def __init__(self, publisher: Publisher, spans: Spans, topology: Topology, server: Attributes) -> None:
        self._publisher = publisher
        self._spans = spans
        self._ours = frozenset(queue.name for queue in topology.queues)
        self._server = server

    async def publish(self, message: Outgoing) -> PublishVerdict:
        """Publish to a route that others own; see the port."""
        with self._publishing(message) as (traced, span):
            verdict = await self._publisher.publish(traced)
            if verdict is not PublishVerdict.CONFIRMED:
                failed(span, verdict.value)
        return verdict

    async def keep(self, message: Outgoing) -> None:
        """Publish to a queue of our own; see the port."""
        with self._publishing(message) as (traced, _):
            await self._publisher.keep(traced)

    async def try_keep(self, message: Outgoing) -> bool:
        """Publish to a queue of our own that may refuse; see the port."""
        with self._publishing(message) as (traced, span):
            kept = await self._publisher.try_keep(traced)
            if not kept:
                failed(span, PublishVerdict.NACKED.value)
        return kept

    @contextmanager
    def _publishing(self, message: Outgoing) -> Iterator[tuple[Outgoing, Span]]:
        told = context_in(message.headers or {})
        theirs = get_current_span(told).get_span_context()
        ours = get_current_span().get_span_context()
        # The reply to a copy that joined a request of another trace belongs into its own producer's.
        elsewhere = theirs.is_valid and theirs.trace_id != ours.trace_id
        parent = told if elsewhere else None
        links = [Link(ours)] if elsewhere and ours.is_valid else []
        template = self._template(message.route)
        attributes = {
            **self._server,
            **publishing_of(message.route, message.body, message.message_id, message.correlation_id),
            **({names.DESTINATION_TEMPLATE: template} if template else {}),
        }
        name = f"{PUBLISH} {template or destination_of(message.route)}"
        with self._spans.current(name, SpanKind.PRODUCER, attributes, parent, links) as span:
            keeps_its_own = theirs.is_valid and message.type != RESULT_TYPE
            yield message if keeps_its_own else _naming(span, message), span

    def _template(self, route: Route) -> str | None:
        """Give what stands for a route in the names of spans; None where there are few of the kind."""
        return None if route.exchange or route.routing_key in self._ours else _REPLY_TO


def _naming(span: Span, message: Outgoing) -> Outgoing:
    written = headers_of(span)
    if not written:
        return message
    headers = {name: value for name, value in (message.headers or {}).items() if name not in {TRACEPARENT, TRACESTATE}}
    return replace(message, headers={**headers, **written})
