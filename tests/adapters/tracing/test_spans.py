import asyncio
from collections.abc import Sequence

import pytest
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.trace import Link, SpanKind, StatusCode, get_current_span
from structlog.testing import capture_logs
from typing_extensions import override

from service.adapters.tracing.spans import Spans
from tests.support.spans import SpanMemory, id_of, parent_of


class Refusing(SpanProcessor):
    """A plug-in with a defect."""

    def __init__(self, *, at_start: bool) -> None:
        self._at_start = at_start

    @override
    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        if self._at_start:
            raise ZeroDivisionError("at the start")

    @override
    def on_end(self, span: ReadableSpan) -> None:
        raise ZeroDivisionError("at the end")


@pytest.fixture
def ours(spans: SpanMemory) -> Spans:
    return Spans(trace.get_tracer("test"))


def test_a_span_is_the_current_one_and_the_parent_of_those_inside(ours: Spans, spans: SpanMemory) -> None:
    with ours.current("outer", SpanKind.CONSUMER, {"a": 1}), ours.current("inner", SpanKind.CLIENT, {}):
        pass

    inner, outer = spans.get_finished_spans()
    assert (outer.name, outer.kind, outer.attributes) == ("outer", SpanKind.CONSUMER, {"a": 1})
    assert (inner.name, parent_of(inner)) == ("inner", id_of(outer))
    assert get_current_span() is trace.INVALID_SPAN


def test_an_exception_is_named_by_its_type_and_its_message_is_nowhere(ours: Spans, spans: SpanMemory) -> None:
    with pytest.raises(ValueError, match="hush"), ours.current("work", SpanKind.CLIENT, {}):
        raise ValueError("hush")

    (span,) = spans.get_finished_spans()
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes == {"error.type": "ValueError"}
    assert "hush" not in span.to_json()


async def test_a_task_that_is_cancelled_leaves_a_span_that_says_so(ours: Spans, spans: SpanMemory) -> None:
    entered = asyncio.Event()

    async def work() -> None:
        with ours.current("work", SpanKind.CLIENT, {}):
            entered.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await entered.wait()
    task.cancel()
    await asyncio.wait({task})

    (span,) = spans.get_finished_spans()
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes == {"error.type": "CancelledError"}


@pytest.mark.parametrize("at_start", [True, False])
def test_a_plug_in_that_fails_fails_no_work_and_is_told_once(*, at_start: bool) -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(Refusing(at_start=at_start))
    ours = Spans(provider.get_tracer("test"))
    done: list[int] = []

    with capture_logs() as lines:
        for number in range(3):
            with ours.current("work", SpanKind.CLIENT, {}):
                done.append(number)

    assert done == [0, 1, 2]
    assert [line["log_level"] for line in lines] == ["warning"]


def test_links_and_a_parent_of_another_trace_are_kept(ours: Spans, spans: SpanMemory) -> None:
    with ours.current("one", SpanKind.CONSUMER, {}) as one:
        links: Sequence[Link] = [Link(one.get_span_context())]
        with ours.current("other", SpanKind.PRODUCER, {}, Context(), links):
            pass

    other, _ = spans.get_finished_spans()
    assert parent_of(other) is None
    assert [link.context for link in other.links] == [one.get_span_context()]
