import asyncio
from dataclasses import replace

import httpx
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import INVALID_SPAN_CONTEXT, NonRecordingSpan, NoOpTracer, Span, SpanKind, StatusCode
from typing_extensions import override

from service.adapters.tracing.calls import TracedEndpoint, count_calls_from_here, tell_status
from service.adapters.tracing.occurrences import SpanObserver
from service.adapters.tracing.spans import Spans
from service.core.call import (
    Accepted,
    Answer,
    Blocked,
    Call,
    CallResult,
    NotSent,
    NotSentReason,
    RefusedForGood,
    RefusedForNow,
    Uncertain,
    UncertainReason,
)
from service.core.contract import VideoRequest
from service.core.facts import CallPrevented, SettlementAbandoned
from tests.support.fakes import ScriptedEndpoint
from tests.support.spans import TRACEPARENT, SpanMemory, id_of, named_in, trace_of

URL = httpx.URL("https://api.example.com/gateway/v2/videos/generations")
CALL = Call("r", VideoRequest(prompt="a cat", model="wan"), {"traceparent": TRACEPARENT})


@pytest.fixture
def ours(spans: SpanMemory) -> Spans:
    return Spans(trace.get_tracer("test"))


async def test_a_call_is_a_client_span_that_the_endpoint_is_told(ours: Spans, spans: SpanMemory) -> None:
    endpoint = ScriptedEndpoint()

    with ours.current("processing", SpanKind.CONSUMER, {}):
        assert await TracedEndpoint(endpoint, ours, URL).submit(CALL) == Accepted("task-1")

    span, processing = spans.get_finished_spans()
    assert (span.name, span.kind) == ("POST /gateway/v2/videos/generations", SpanKind.CLIENT)
    assert span.parent == processing.context
    assert named_in(endpoint.calls[0].trace) == (trace_of(span), id_of(span))
    assert span.status.status_code is StatusCode.UNSET
    assert span.attributes == {
        "http.request.method": "POST",
        "url.full": str(URL),
        "url.template": "/gateway/v2/videos/generations",
        "server.address": "api.example.com",
        "server.port": 443,
        "videogen.call_result": "accepted",
    }


@pytest.mark.parametrize(
    ("result", "name", "kind"),
    [
        (RefusedForNow(Answer(503), throttled=False), "refused_for_now", "503"),
        (RefusedForNow(Answer(429), throttled=True), "refused_for_now", "429"),
        (RefusedForNow(Answer(200, "Throttling"), throttled=True), "refused_for_now", "refused_for_now"),
        (RefusedForGood(Answer(400)), "refused_for_good", "400"),
        (Blocked(Answer(401)), "blocked", "401"),
        (NotSent(NotSentReason.REFUSED, Answer()), "not_sent", "refused"),
        (Uncertain(UncertainReason.TIMEOUT, Answer()), "uncertain", "timeout"),
        (Uncertain(UncertainReason.NO_TASK_ID, Answer(200)), "uncertain", "no_task_id"),
        (Uncertain(UncertainReason.GATEWAY, Answer(504)), "uncertain", "504"),
    ],
)
async def test_a_call_that_failed_says_what_it_came_to_and_why(
    ours: Spans, spans: SpanMemory, result: CallResult, name: str, kind: str
) -> None:
    assert await TracedEndpoint(ScriptedEndpoint(result), ours, URL).submit(CALL) == result

    (span,) = spans.get_finished_spans()
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes is not None
    assert (span.attributes["videogen.call_result"], span.attributes["error.type"]) == (name, kind)


async def test_nothing_that_the_endpoint_says_is_written_down(ours: Spans, spans: SpanMemory) -> None:
    answer = Answer(400, "InvalidParameter", "the prompt 'hush' is too long")
    await TracedEndpoint(ScriptedEndpoint(RefusedForGood(answer)), ours, URL).submit(CALL)

    (span,) = spans.get_finished_spans()
    assert "hush" not in span.to_json()
    assert "a cat" not in span.to_json()


async def test_calls_are_counted_over_all_deliveries_and_for_each_request_apart(ours: Spans, spans: SpanMemory) -> None:
    endpoint = TracedEndpoint(ScriptedEndpoint(), ours, URL)

    async def deliver(call: Call) -> None:
        count_calls_from_here()
        await endpoint.submit(call)
        await endpoint.submit(call)

    await asyncio.create_task(deliver(CALL))
    await asyncio.create_task(deliver(replace(CALL, earlier=4)))

    counts = [(span.attributes or {}).get("http.request.resend_count") for span in spans.get_finished_spans()]
    assert counts == [None, 1, 4, 5]


async def test_a_status_is_noted_on_the_call_that_it_answers(ours: Spans, spans: SpanMemory) -> None:
    class Answering(ScriptedEndpoint):
        @override
        async def submit(self, call: Call) -> CallResult:
            tell_status(202)
            return await super().submit(call)

    await TracedEndpoint(Answering(), ours, URL).submit(CALL)

    (span,) = spans.get_finished_spans()
    assert span.attributes is not None
    assert span.attributes["http.response.status_code"] == 202


async def test_with_the_sdk_disabled_the_endpoint_is_told_the_producers_span(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    ours = Spans(TracerProvider(shutdown_on_exit=False).get_tracer("test"))
    endpoint = ScriptedEndpoint()

    await TracedEndpoint(endpoint, ours, URL).submit(CALL)

    assert endpoint.calls[0].trace == {"traceparent": TRACEPARENT}


class Hostile(NonRecordingSpan):
    """A span of somebody else's, on which nothing can be written."""

    @override
    def is_recording(self) -> bool:
        return True

    @override
    def set_attribute(self, key: str, value: object) -> None:
        raise ValueError(key)

    @override
    def set_status(self, status: object, description: str | None = None) -> None:
        raise ValueError(status)

    @override
    def add_event(self, name: str, attributes: object = None, timestamp: int | None = None) -> None:
        raise ValueError(name)


class HostileTracer(NoOpTracer):
    @override
    def start_span(self, *_: object, **__: object) -> Span:
        return Hostile(INVALID_SPAN_CONTEXT)


@pytest.mark.parametrize("result", [Accepted("task-1"), Uncertain(UncertainReason.CONNECTION_LOST, Answer())])
async def test_a_span_that_takes_nothing_does_not_cost_the_answer_of_a_paid_call(result: CallResult) -> None:
    endpoint = ScriptedEndpoint(result)
    assert await TracedEndpoint(endpoint, Spans(HostileTracer()), URL).submit(CALL) == result


def test_a_span_that_takes_nothing_does_not_cost_the_status_or_a_fact() -> None:
    with Spans(HostileTracer()).current("call", SpanKind.CLIENT, {}):
        tell_status(200)
        SpanObserver().notify(CallPrevented("request", in_doubt=True))
        SpanObserver().notify(SettlementAbandoned("request", None))
