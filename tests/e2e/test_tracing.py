"""A request as one trace: real broker, real endpoint simulator, the whole worker."""

import asyncio
import json
import signal
from pathlib import Path

import httpx
import pytest
from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode

from service.client import VideogenClient
from service.core.facts import Joined
from service.settings import RetrySettings, Settings, TracingSettings
from service.settings.value_types import parse_tiers
from tests.client.plant import MODEL, options_for
from tests.e2e.test_requests import replies_of, request
from tests.support.broker import Amqp
from tests.support.collector import collector
from tests.support.endpoint_calls import hold
from tests.support.environment import environment
from tests.support.process import process
from tests.support.raw_server import raw_server
from tests.support.requester import open_requester
from tests.support.running import running_worker, settings_for, simulated_endpoint
from tests.support.spans import PRODUCER, TRACE, TRACEPARENT, SpanMemory, id_of, named_in, parent_of, trace_of

CALL = "POST /v2/videos/generations"
REPLY = "publish {reply_to}"
OTHER = "0af7651916cd43dd8448eb211c80319c"
# One call for a delivery, then a second in the wait queue.
ONCE_MORE = RetrySettings(attempts=1, base=0.01, max_age=60.0, tiers=parse_tiers("1s"))


def traced(settings: Settings) -> Settings:
    return settings.model_copy(update={"tracing": TracingSettings(enabled=True)})


async def test_a_request_is_one_trace_from_its_producer_over_its_calls_to_its_result(
    broker_url: str, prefix: str, spans: SpanMemory
) -> None:
    async with (
        simulated_endpoint() as simulator,
        running_worker(traced(settings_for(broker_url, prefix, simulator.base_url))),
        open_requester(broker_url, prefix) as requester,
    ):
        await requester.send(request("a cat [sim: 503 x1]"), "r1", headers={"traceparent": TRACEPARENT})
        (reply,) = await replies_of(requester, 1)
        (processing,) = await spans.wait_for(f"process {prefix}.requests")

    calls, (publish,) = spans.named(CALL), spans.named(REPLY)
    assert len(spans.get_finished_spans()) == 4
    assert {trace_of(span) for span in spans.get_finished_spans()} == {TRACE}
    assert parent_of(processing) == PRODUCER
    assert {parent_of(span) for span in (*calls, publish)} == {id_of(processing)}
    assert [span.kind for span in (processing, *calls, publish)] == [
        SpanKind.CONSUMER,
        SpanKind.CLIENT,
        SpanKind.CLIENT,
        SpanKind.PRODUCER,
    ]
    told = [named_in({"traceparent": post.traceparent}) for post in simulator.record.posts]
    assert told == [(TRACE, id_of(call)) for call in calls]
    assert named_in(reply.headers) == (TRACE, id_of(publish))

    assert processing.attributes is not None
    assert processing.attributes["videogen.task_id"] == reply.body["task_id"]
    assert processing.attributes["messaging.message.id"] == "r1"
    assert [event.name for event in processing.events] == ["retry planned"]
    of_calls = [dict(call.attributes or {}) for call in calls]
    assert [call["http.response.status_code"] for call in of_calls] == [503, 200]
    assert [call.get("http.request.resend_count") for call in of_calls] == [None, 1]
    assert [call.get("error.type") for call in of_calls] == ["503", None]


@pytest.mark.parametrize("headers", [{"traceparent": TRACEPARENT, "tracestate": "vendor=1"}, {}])
async def test_a_retry_through_a_wait_queue_stays_in_the_trace(
    broker_url: str, prefix: str, amqp: Amqp, spans: SpanMemory, headers: dict[str, str]
) -> None:
    async with (
        simulated_endpoint() as simulator,
        running_worker(traced(settings_for(broker_url, prefix, simulator.base_url, retry=ONCE_MORE))),
        open_requester(broker_url, prefix) as requester,
    ):
        await requester.send(request("a cat [sim: 503 x1]"), "r1", headers=headers)
        (reply,) = await replies_of(requester, 1)
        first, second = await spans.wait_for(f"process {prefix}.requests", 2)
    # No tier of the default settings, so nobody else takes it away.
    await amqp.channel.queue_delete(f"{prefix}.retry.1s")

    (move,) = spans.named(f"publish {prefix}.retry.1s")
    assert len({trace_of(span) for span in spans.get_finished_spans()}) == 1
    assert parent_of(move) == id_of(first)
    # Without a producer's span the message names the one that moved it.
    assert [parent_of(first), parent_of(second)] == ([PRODUCER, PRODUCER] if headers else [None, id_of(move)])
    assert [parent_of(call) for call in spans.named(CALL)] == [id_of(first), id_of(second)]
    assert named_in(reply.headers)[0] == trace_of(first)
    assert reply.headers.get("tracestate") == headers.get("tracestate")
    assert second.attributes is not None
    assert (second.attributes["videogen.calls_before"], second.attributes["videogen.postponed"]) == (1, 1)
    assert [(call.attributes or {}).get("http.request.resend_count") for call in spans.named(CALL)] == [None, 1]


async def test_a_copy_of_another_trace_that_joins_is_answered_in_its_own(
    broker_url: str, prefix: str, spans: SpanMemory
) -> None:
    async with (
        simulated_endpoint() as simulator,
        running_worker(traced(settings_for(broker_url, prefix, simulator.base_url))) as running,
        open_requester(broker_url, prefix) as one,
        open_requester(broker_url, prefix) as other,
    ):
        await one.send(request("a cat [sim: hold]"), "r1", headers={"traceparent": TRACEPARENT})
        await simulator.record.wait_in_flight(1)
        await other.send(request("a cat [sim: hold]"), "r1", headers={"traceparent": f"00-{OTHER}-{PRODUCER}-01"})
        await running.facts.wait_for(Joined)
        simulator.release()
        replies = [*await replies_of(one, 1), *await replies_of(other, 1)]
        (processing,) = await spans.wait_for(f"process {prefix}.requests")

    ours, theirs = spans.named(REPLY)
    assert [trace_of(ours), trace_of(theirs)] == [TRACE, OTHER]
    assert parent_of(theirs) == PRODUCER
    assert [link.context for link in theirs.links] == [processing.context]
    assert [named_in(reply.headers) for reply in replies] == [(TRACE, id_of(ours)), (OTHER, id_of(theirs))]


async def test_a_failed_request_is_a_failed_span_and_its_copy_keeps_its_trace(
    broker_url: str, prefix: str, amqp: Amqp, spans: SpanMemory
) -> None:
    async with (
        simulated_endpoint() as simulator,
        running_worker(traced(settings_for(broker_url, prefix, simulator.base_url))),
        open_requester(broker_url, prefix) as requester,
    ):
        await requester.send(request("a cat", size="1x1"), "r1", headers={"traceparent": TRACEPARENT})
        await replies_of(requester, 1)
        copy = await amqp.receive(f"{prefix}.dead")
        (processing,) = await spans.wait_for(f"process {prefix}.requests")

    assert processing.status.status_code is StatusCode.ERROR
    assert processing.attributes is not None
    assert processing.attributes["error.type"] == "invalid_request"
    assert [parent_of(span) for span in spans.named(f"publish {prefix}.dead")] == [id_of(processing)]
    assert copy.headers["traceparent"] == TRACEPARENT


async def test_off_the_headers_of_a_request_are_carried_as_they_are(
    broker_url: str, prefix: str, spans: SpanMemory
) -> None:
    headers = {"traceparent": TRACEPARENT, "tracestate": "vendor=1"}
    async with (
        simulated_endpoint() as simulator,
        running_worker(settings_for(broker_url, prefix, simulator.base_url)),
        open_requester(broker_url, prefix) as requester,
    ):
        await requester.send(request("a cat"), "r1", headers=headers)
        (reply,) = await replies_of(requester, 1)

    assert simulator.record.posts[0].traceparent == TRACEPARENT
    assert {name: reply.headers[name] for name in headers} == headers
    assert spans.get_finished_spans() == ()


async def test_the_latency_histogram_names_the_trace(broker_url: str, prefix: str, spans: SpanMemory) -> None:
    async with (
        simulated_endpoint() as simulator,
        running_worker(traced(settings_for(broker_url, prefix, simulator.base_url))) as running,
        open_requester(broker_url, prefix) as requester,
    ):
        await requester.send(request("a cat"), "r1", headers={"traceparent": TRACEPARENT})
        await replies_of(requester, 1)
        (processing,) = await spans.wait_for(f"process {prefix}.requests")
        address = f"http://127.0.0.1:{running.worker.admin.port}/metrics"
        async with httpx.AsyncClient(trust_env=False) as client:
            # What Prometheus sends, shortened.
            accept = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3"
            metrics = (await client.get(address, headers={"Accept": accept})).text

    (line,) = [line for line in metrics.splitlines() if " # {" in line]
    assert line.startswith("videogen_request_seconds_bucket{")
    assert 'outcome="submitted"' in line
    assert f'trace_id="{TRACE}"' in line
    assert f'span_id="{id_of(processing)}"' in line


async def test_a_program_its_client_and_the_worker_are_one_trace(
    broker_url: str, prefix: str, spans: SpanMemory
) -> None:
    async with (
        simulated_endpoint() as simulator,
        running_worker(traced(settings_for(broker_url, prefix, simulator.base_url))),
        VideogenClient(broker_url, options_for(prefix)) as client,
    ):
        with trace.get_tracer("producer").start_as_current_span("make a trailer"):
            await client.generate(prompt="a cat", model=MODEL)
        (processing,) = await spans.wait_for(f"process {prefix}.requests")

    (program,), (publish,) = spans.named("make a trailer"), spans.named(f"publish {prefix}:request")
    assert parent_of(publish) == id_of(program)
    assert parent_of(processing) == id_of(publish)
    assert {trace_of(span) for span in spans.get_finished_spans()} == {trace_of(program)}


def tracing_to(url: str, **more: str) -> dict[str, str]:
    # A batch is sent after a minute, or at the end.
    return {
        "VIDEOGEN_TRACING__ENABLED": "true",
        "OTEL_EXPORTER_OTLP_ENDPOINT": url,
        "OTEL_BSP_SCHEDULE_DELAY": "60000",
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
        **more,
    }


async def test_a_worker_that_is_told_to_stop_sends_the_spans_of_its_last_request_too(
    broker_url: str, prefix: str, tmp_path: Path
) -> None:
    async with simulated_endpoint() as simulator, collector() as collected:
        settings = environment(broker_url, prefix, simulator.base_url, **tracing_to(collected.url))
        async with (
            process(environment=settings, folder=tmp_path) as worker,
            open_requester(broker_url, prefix) as requester,
        ):
            await worker.says("consumer active")
            await requester.send(request("a cat [sim: hold]"), "r1", headers={"traceparent": TRACEPARENT})
            await simulator.record.wait_in_flight(1)
            worker.signal(signal.SIGTERM)
            await worker.says("drain started")
            simulator.release()
            await replies_of(requester, 1)
            line = json.loads(await worker.says("request settled"))
            assert await worker.exits() == 0

    by_name = {span.name: span for span in collected.spans}
    processing = by_name[f"process {prefix}.requests"]
    assert set(by_name) == {processing.name, CALL, REPLY}
    assert {(span.service, span.trace) for span in collected.spans} == {("videogen-worker", TRACE)}
    assert [processing.parent, by_name[CALL].parent, by_name[REPLY].parent] == [
        PRODUCER,
        processing.span,
        processing.span,
    ]
    assert (line["trace_id"], line["span_id"]) == (TRACE, processing.span)


@pytest.mark.parametrize("listens", [False, True], ids=["away", "silent"])
async def test_a_collector_that_takes_nothing_costs_no_request_and_no_clean_end(
    broker_url: str,
    prefix: str,
    tmp_path: Path,
    listens: bool,  # noqa: FBT001 - a column of the table
) -> None:
    async with simulated_endpoint() as simulator, raw_server(hold) as silent:
        url = silent.url if listens else "http://127.0.0.1:9"
        patient = tracing_to(url, OTEL_EXPORTER_OTLP_TIMEOUT="60000")
        settings = environment(broker_url, prefix, simulator.base_url, **patient)
        async with (
            process(environment=settings, folder=tmp_path) as worker,
            open_requester(broker_url, prefix) as requester,
        ):
            await worker.says("consumer active")
            await requester.send(request("a cat"), "r1")
            (reply,) = await replies_of(requester, 1)
            worker.signal(signal.SIGTERM)
            # The library alone would wait for 30 s.
            async with asyncio.timeout(20):
                assert await worker.exits() == 0

    assert reply.body["status"] == "submitted"
