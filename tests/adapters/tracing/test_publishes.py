import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import SpanKind, StatusCode

from service.adapters.tracing.context import context_in
from service.adapters.tracing.publishes import TracedPublisher
from service.adapters.tracing.spans import Spans
from service.core.outgoing import Outgoing, PublishVerdict, Route
from service.core.result import RESULT_TYPE
from service.core.topology import Topology
from tests.support.fakes import FakePublisher
from tests.support.spans import PRODUCER, TRACE, TRACEPARENT, SpanMemory, id_of, named_in, parent_of, trace_of

TOPOLOGY = Topology("videogen")
REPLY, DEAD, RESULTS = Route("", "answers"), Route("", TOPOLOGY.dead), Route("videogen", "result.submitted")
OTHER = "0af7651916cd43dd8448eb211c80319c"
TRACED = {"traceparent": TRACEPARENT, "tracestate": "vendor=1"}


class Scene:
    """A traced publisher over one in memory, and the work of one request around it."""

    def __init__(self) -> None:
        self.publisher = FakePublisher()
        self.spans = Spans(trace.get_tracer("test"))
        self.traced = TracedPublisher(self.publisher, self.spans, TOPOLOGY, {"server.address": "rabbit"})

    async def publish(self, message: Outgoing, *, within: str = TRACEPARENT) -> PublishVerdict:
        with self.spans.current("processing", SpanKind.CONSUMER, {}, context_in({"traceparent": within})):
            return await self.traced.publish(message)

    @property
    def sent(self) -> Outgoing:
        (message,) = self.publisher.confirmed
        return message


@pytest.fixture
def scene(spans: SpanMemory) -> Scene:
    return Scene()


def result(route: Route = REPLY, /, **headers: object) -> Outgoing:
    return Outgoing(route, b"{}", "application/json", "c-1", None, type=RESULT_TYPE, headers=headers or None)


def request(**headers: object) -> Outgoing:
    return Outgoing(DEAD, b"{}", None, "c-1", None, headers=headers, message_id="r-1")


async def test_a_result_names_the_span_of_its_publish(scene: Scene, spans: SpanMemory) -> None:
    assert await scene.publish(result(**TRACED)) is PublishVerdict.CONFIRMED

    span, processing = spans.get_finished_spans()
    assert (span.name, span.kind) == ("publish {reply_to}", SpanKind.PRODUCER)
    assert (trace_of(span), parent_of(span)) == (TRACE, id_of(processing))
    assert named_in(scene.sent.headers or {}) == (TRACE, id_of(span))
    assert span.status.status_code is StatusCode.UNSET
    assert span.attributes == {
        "messaging.system": "rabbitmq",
        "messaging.operation.name": "publish",
        "messaging.operation.type": "send",
        "messaging.destination.name": "answers",
        "messaging.destination.template": "{reply_to}",
        "messaging.rabbitmq.destination.routing_key": "answers",
        "messaging.message.conversation_id": "c-1",
        "messaging.message.body.size": 2,
        "server.address": "rabbit",
    }


async def test_a_result_for_the_exchange_has_exchange_and_routing_key_in_its_name(
    scene: Scene, spans: SpanMemory
) -> None:
    await scene.publish(result(RESULTS))

    span, _ = spans.get_finished_spans()
    assert span.name == "publish videogen:result.submitted"
    assert span.attributes is not None
    assert span.attributes["messaging.destination.name"] == "videogen:result.submitted"
    assert "messaging.destination.template" not in span.attributes


async def test_a_result_of_a_request_without_a_trace_names_that_of_the_worker(scene: Scene, spans: SpanMemory) -> None:
    await scene.publish(result(), within="")

    span, processing = spans.get_finished_spans()
    assert (parent_of(span), parent_of(processing)) == (id_of(processing), None)
    assert named_in(scene.sent.headers or {}) == (trace_of(processing), id_of(span))


async def test_a_request_that_moves_goes_on_naming_its_producer(scene: Scene, spans: SpanMemory) -> None:
    with scene.spans.current("processing", SpanKind.CONSUMER, {}, context_in(TRACED)):
        await scene.traced.keep(request(**TRACED, **{"x-attempts": 4}))

    span, processing = spans.get_finished_spans()
    assert (span.name, parent_of(span)) == (f"publish {TOPOLOGY.dead}", id_of(processing))
    assert scene.sent.headers == {**TRACED, "x-attempts": 4}
    assert span.attributes is not None
    assert span.attributes["messaging.message.id"] == "r-1"


async def test_a_request_that_moves_and_names_no_producer_names_its_publish(scene: Scene, spans: SpanMemory) -> None:
    with scene.spans.current("processing", SpanKind.CONSUMER, {}):
        assert await scene.traced.try_keep(request(traceparent="nonsense"))

    span, _ = spans.get_finished_spans()
    assert named_in(scene.sent.headers or {}) == (trace_of(span), id_of(span))


async def test_a_reply_to_a_copy_of_another_trace_belongs_to_that_and_links_to_the_work(
    scene: Scene, spans: SpanMemory
) -> None:
    await scene.publish(result(**TRACED), within=f"00-{OTHER}-{PRODUCER}-01")

    span, processing = spans.get_finished_spans()
    assert (trace_of(span), parent_of(span)) == (TRACE, PRODUCER)
    assert trace_of(processing) == OTHER
    assert [link.context for link in span.links] == [processing.context]
    assert named_in(scene.sent.headers or {}) == (TRACE, id_of(span))


async def test_what_is_no_tracestate_does_not_go_out_beside_a_span_of_ours(scene: Scene) -> None:
    await scene.publish(result(traceparent=TRACEPARENT, tracestate="nonsense"))

    assert scene.sent.headers is not None
    assert scene.sent.headers.keys() == {"traceparent"}


@pytest.mark.parametrize("verdict", [PublishVerdict.RETURNED, PublishVerdict.NACKED])
async def test_a_result_that_no_queue_takes_is_a_span_that_failed(
    scene: Scene, spans: SpanMemory, verdict: PublishVerdict
) -> None:
    scene.publisher.refuse(REPLY, verdict)

    assert await scene.publish(result()) is verdict

    span, _ = spans.get_finished_spans()
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes is not None
    assert span.attributes["error.type"] == verdict.value


async def test_a_move_that_no_queue_takes_is_a_span_that_failed(scene: Scene, spans: SpanMemory) -> None:
    scene.publisher.refuse(DEAD, PublishVerdict.NACKED)

    assert not await scene.traced.try_keep(request())

    (span,) = spans.get_finished_spans()
    assert span.status.status_code is StatusCode.ERROR


async def test_with_the_sdk_disabled_headers_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    publisher = FakePublisher()
    spans = Spans(TracerProvider(shutdown_on_exit=False).get_tracer("test"))

    await TracedPublisher(publisher, spans, TOPOLOGY, {}).publish(result(**TRACED))
    await TracedPublisher(publisher, spans, TOPOLOGY, {}).publish(result())

    assert [message.headers for message in publisher.confirmed] == [TRACED, None]
