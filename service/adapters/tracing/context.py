"""Spans and the W3C headers that name them."""

from collections.abc import Mapping

from opentelemetry.context import Context
from opentelemetry.trace import Span, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from service.core.trace import trace_headers

_W3C = TraceContextTextMapPropagator()


def context_in(headers: Mapping[str, object]) -> Context:
    """Read which span the headers of a message name; an empty context where they name none, or break the rules."""
    return _W3C.extract(trace_headers(headers), Context())


def headers_of(span: Span) -> dict[str, str]:
    """Write the headers that name a span; none where it has no ids."""
    written: dict[str, str] = {}
    _W3C.inject(written, set_span_in_context(span, Context()))
    return written
