import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import SpanKind, StatusCode

from service.adapters.tracing.conventions import Attributes
from service.adapters.tracing.processing import TracedProcessing
from service.adapters.tracing.spans import Spans
from service.core.delivery import Delivery, Identity
from tests.support.spans import PRODUCER, TRACE, TRACEPARENT, SpanMemory, parent_of, trace_of

IDENTITY = Identity("r-1", "c-1", made_up=False)
UNWATCHED = TracerProvider(shutdown_on_exit=False)
ANYTHING = st.none() | st.booleans() | st.integers() | st.text(max_size=80) | st.binary(max_size=80)
STATES = st.text(st.sampled_from("ab1=,@ \t-_"), max_size=60)


@pytest.fixture
def tracing(spans: SpanMemory) -> TracedProcessing:
    server: Attributes = {"server.address": "rabbit", "server.port": 5672}
    return TracedProcessing(Spans(trace.get_tracer("test")), "videogen.requests", server)


def test_a_message_is_a_consumer_span_below_its_producers(tracing: TracedProcessing, spans: SpanMemory) -> None:
    with tracing.processing(Delivery(b"{}", headers={"traceparent": TRACEPARENT}), IDENTITY):
        assert spans.get_finished_spans() == ()

    (span,) = spans.get_finished_spans()
    assert (span.name, span.kind) == ("process videogen.requests", SpanKind.CONSUMER)
    assert (trace_of(span), parent_of(span)) == (TRACE, PRODUCER)
    assert span.status.status_code is StatusCode.UNSET
    assert span.attributes == {
        "messaging.system": "rabbitmq",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": "videogen.requests",
        "messaging.message.id": "r-1",
        "messaging.message.conversation_id": "c-1",
        "messaging.message.body.size": 2,
        "server.address": "rabbit",
        "server.port": 5672,
        "videogen.redelivered": False,
        "videogen.calls_before": 0,
        "videogen.postponed": 0,
    }


def test_a_message_that_comes_again_tells_of_its_past(tracing: TracedProcessing, spans: SpanMemory) -> None:
    headers = {"traceparent": TRACEPARENT, "x-attempts": 4, "x-postponed": 1}
    with tracing.processing(Delivery(b"{}", headers=headers, redelivered=True), IDENTITY):
        pass

    (span,) = spans.get_finished_spans()
    told = {name: value for name, value in (span.attributes or {}).items() if name.startswith("videogen.")}
    assert told == {"videogen.redelivered": True, "videogen.calls_before": 4, "videogen.postponed": 1}


@pytest.mark.parametrize("traceparent", [None, "nonsense", TRACEPARENT.upper(), 7, f"{TRACEPARENT}-more"])
def test_a_message_that_names_no_span_begins_a_trace(
    tracing: TracedProcessing, spans: SpanMemory, traceparent: object
) -> None:
    with tracing.processing(Delivery(b"{}", headers={"traceparent": traceparent}), IDENTITY):
        pass

    (span,) = spans.get_finished_spans()
    assert parent_of(span) is None
    assert trace_of(span) != TRACE


def test_a_trace_that_the_producer_does_not_sample_is_not_sampled(tracing: TracedProcessing, spans: SpanMemory) -> None:
    with tracing.processing(Delivery(b"{}", headers={"traceparent": f"{TRACEPARENT[:-2]}00"}), IDENTITY):
        assert trace.format_trace_id(trace.get_current_span().get_span_context().trace_id) == TRACE

    assert spans.get_finished_spans() == ()


@given(
    traceparent=ANYTHING | st.just(TRACEPARENT), tracestate=ANYTHING | STATES, attempts=ANYTHING, first_seen=ANYTHING
)
def test_no_header_keeps_a_message_from_being_worked_on(
    traceparent: object, tracestate: object, attempts: object, first_seen: object
) -> None:
    tracing = TracedProcessing(Spans(UNWATCHED.get_tracer("test")), "requests", {})
    headers = {
        "traceparent": traceparent,
        "tracestate": tracestate,
        "x-attempts": attempts,
        "x-postponed": attempts,
        "x-first-seen": first_seen,
    }
    reached = False

    with tracing.processing(Delivery(b"", headers=headers), IDENTITY):
        reached = True

    assert reached
