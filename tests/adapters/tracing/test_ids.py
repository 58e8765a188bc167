import io
import json
import logging

import pytest
from opentelemetry import trace
from opentelemetry.trace import SpanKind

from service.adapters.logging_setup import configure_logging
from service.adapters.logs import LogObserver
from service.adapters.tracing.context import context_in
from service.adapters.tracing.ids import exemplar
from service.adapters.tracing.spans import Spans
from service.core.facts import DrainStarted
from service.settings import TracingSettings
from tests.adapters.log_lines import settings_with
from tests.support.spans import TRACE, TRACEPARENT, SpanMemory, id_of


@pytest.fixture
def ours(spans: SpanMemory) -> Spans:
    return Spans(trace.get_tracer("test"))


@pytest.mark.usefixtures("restored_logging")
def test_lines_within_a_span_name_it_whoever_writes_them(ours: Spans, spans: SpanMemory) -> None:
    stream = io.StringIO()
    configure_logging(settings_with().model_copy(update={"tracing": TracingSettings(enabled=True)}), stream)

    with ours.current("processing", SpanKind.CONSUMER, {}, context_in({"traceparent": TRACEPARENT})):
        LogObserver().notify(DrainStarted(1))
        logging.getLogger("aio_pika").warning("trouble")
    LogObserver().notify(DrainStarted(2))

    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    (span,) = spans.get_finished_spans()
    assert [(line.get("trace_id"), line.get("span_id")) for line in lines] == [
        (TRACE, id_of(span)),
        (TRACE, id_of(span)),
        (None, None),
    ]


@pytest.mark.usefixtures("restored_logging")
def test_without_tracing_no_line_names_a_span(ours: Spans) -> None:
    stream = io.StringIO()
    configure_logging(settings_with(), stream)

    with ours.current("processing", SpanKind.CONSUMER, {}):
        LogObserver().notify(DrainStarted(1))

    (line,) = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert "trace_id" not in line


def test_an_exemplar_names_a_span_that_can_be_looked_up(ours: Spans, spans: SpanMemory) -> None:
    with ours.current("processing", SpanKind.CONSUMER, {}, context_in({"traceparent": TRACEPARENT})):
        named = exemplar()

    (span,) = spans.get_finished_spans()
    assert named == {"trace_id": TRACE, "span_id": id_of(span)}


def test_there_is_no_exemplar_without_a_span_or_without_its_being_sampled(ours: Spans) -> None:
    assert exemplar() is None
    with ours.current("processing", SpanKind.CONSUMER, {}, context_in({"traceparent": f"{TRACEPARENT[:-2]}00"})):
        assert exemplar() is None
