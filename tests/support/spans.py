"""The spans of this process, kept in memory.

A process can set a tracer provider once, so all tests of one share it. The worker and its client take the one that
their program has set.
"""

from collections.abc import Mapping, Sequence
from functools import cache

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased
from typing_extensions import override

from tests.support.fakes import Changes

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PRODUCER = "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{PRODUCER}-01"


class SpanMemory(InMemorySpanExporter):
    """An exporter that lets a test wait for what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self._changes = Changes()

    @override
    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = super().export(spans)
        self._changes.happened()
        return result

    def named(self, name: str) -> list[ReadableSpan]:
        """List the spans of one name, in the order in which they ended."""
        return [span for span in self.get_finished_spans() if span.name == name]

    async def wait_for(self, name: str, count: int = 1) -> list[ReadableSpan]:
        """Wait until so many spans of one name have ended."""
        await self._changes.until(lambda: len(self.named(name)) >= count, guard=30)
        return self.named(name)


@cache
def span_memory() -> SpanMemory:
    """Set the provider of this process, once."""
    memory = SpanMemory()
    provider = TracerProvider(sampler=ParentBased(ALWAYS_ON), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(memory))
    trace.set_tracer_provider(provider)
    return memory


def trace_of(span: ReadableSpan) -> str:
    """Name the trace of a span as headers do."""
    assert span.context is not None
    return trace.format_trace_id(span.context.trace_id)


def id_of(span: ReadableSpan) -> str:
    """Name a span as headers do."""
    assert span.context is not None
    return trace.format_span_id(span.context.span_id)


def parent_of(span: ReadableSpan) -> str | None:
    """Name the parent of a span; None at the root of a trace."""
    return None if span.parent is None else trace.format_span_id(span.parent.span_id)


def named_in(headers: Mapping[str, object]) -> tuple[str, str]:
    """Read trace and span from headers."""
    _version, trace_id, span_id, _flags = str(headers["traceparent"]).split("-")
    return trace_id, span_id
