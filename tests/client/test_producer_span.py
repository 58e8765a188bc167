import asyncio
import sys

import pytest
from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode

from service.client.errors import NotPublished
from service.client.outbound import Asked, Outbound
from service.client.producer_span import ProducerSpans
from service.core.outgoing import Route
from service.core.result import Charged
from tests.support.spans import TRACEPARENT, SpanMemory, id_of, named_in, parent_of, trace_of

PRODUCER = ProducerSpans(Route("videogen", "request"), "amqps://me:hush@rabbit/shop")


def asked(**headers: str) -> Asked:
    return Asked(Outbound("r-1", b"{}", headers=headers), correlation_id="c-1")


async def test_a_publish_is_a_span_below_that_of_the_program_and_the_request_names_it(spans: SpanMemory) -> None:
    request = asked()
    with trace.get_tracer("program").start_as_current_span("make a trailer"), PRODUCER.publishing(request):
        assert spans.get_finished_spans() == ()

    publish, program = spans.get_finished_spans()
    assert (publish.name, publish.kind) == ("publish videogen:request", SpanKind.PRODUCER)
    assert (trace_of(publish), parent_of(publish)) == (trace_of(program), id_of(program))
    assert named_in(request.trace) == (trace_of(publish), id_of(publish))
    assert publish.status.status_code is StatusCode.UNSET
    assert publish.attributes == {
        "messaging.system": "rabbitmq",
        "messaging.operation.name": "publish",
        "messaging.operation.type": "send",
        "messaging.destination.name": "videogen:request",
        "messaging.rabbitmq.destination.routing_key": "request",
        "messaging.message.id": "r-1",
        "messaging.message.conversation_id": "c-1",
        "messaging.message.body.size": 2,
        "server.address": "rabbit",
        "server.port": 5671,
    }


async def test_outside_of_any_span_a_publish_begins_a_trace(spans: SpanMemory) -> None:
    request = asked()
    with PRODUCER.publishing(request):
        pass

    (publish,) = spans.get_finished_spans()
    assert parent_of(publish) is None
    assert named_in(request.trace) == (trace_of(publish), id_of(publish))


@pytest.mark.parametrize(
    "headers", [{"traceparent": TRACEPARENT, "tracestate": "vendor=1"}, {"tracestate": "vendor=1"}]
)
async def test_a_trace_that_the_caller_gave_is_left_alone(spans: SpanMemory, headers: dict[str, str]) -> None:
    request = asked(**headers)
    with PRODUCER.publishing(request):
        pass

    assert request.trace == {}
    assert spans.get_finished_spans() == ()


async def test_a_request_that_is_asked_again_names_its_first_publish(spans: SpanMemory) -> None:
    request = asked()
    for _ in range(2):
        with PRODUCER.publishing(request):
            pass

    (publish,) = spans.get_finished_spans()
    assert named_in(request.trace)[1] == id_of(publish)


async def test_a_publish_that_failed_is_a_span_that_failed_and_quotes_nothing(spans: SpanMemory) -> None:
    with pytest.raises(NotPublished, match="hush"), PRODUCER.publishing(asked()):
        raise NotPublished("hush", request_id="r-1", retryable=True, charged=Charged.NO)

    (publish,) = spans.get_finished_spans()
    assert publish.status.status_code is StatusCode.ERROR
    assert publish.attributes is not None
    assert publish.attributes["error.type"] == "NotPublished"
    assert "hush" not in publish.to_json()


@pytest.mark.parametrize("is_answered", [True, False])
async def test_a_publish_that_is_broken_off_failed_unless_the_answer_is_there(
    spans: SpanMemory, *, is_answered: bool
) -> None:
    request = asked()
    if is_answered:
        request.take(b"{}")
    with pytest.raises(asyncio.CancelledError), PRODUCER.publishing(request):
        raise asyncio.CancelledError

    (publish,) = spans.get_finished_spans()
    assert (publish.status.status_code is StatusCode.ERROR) is not is_answered


async def test_without_opentelemetry_a_request_names_no_span(
    spans: SpanMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = asked()
    with trace.get_tracer("program").start_as_current_span("make a trailer"):
        monkeypatch.delitem(sys.modules, "opentelemetry.trace")
        with PRODUCER.publishing(request):
            pass

    assert request.trace == {}
    assert [span.name for span in spans.get_finished_spans()] == ["make a trailer"]
