"""An OpenTelemetry collector over HTTP that keeps the spans it is sent."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True, slots=True)
class Sent:
    """A span as it came over the wire. Ids are hex, `parent` empty at the root of a trace."""

    name: str
    service: str
    trace: str
    span: str
    parent: str


@dataclass(slots=True)
class Collector:
    """What has come, and where it is sent to."""

    url: str = ""
    spans: list[Sent] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        """Keep the spans of one batch."""
        batch = ExportTraceServiceRequest.FromString(await request.read())
        for of_one_service in batch.resource_spans:
            named = {item.key: item.value.string_value for item in of_one_service.resource.attributes}
            for scope in of_one_service.scope_spans:
                self.spans += [
                    Sent(
                        span.name,
                        named["service.name"],
                        span.trace_id.hex(),
                        span.span_id.hex(),
                        span.parent_span_id.hex(),
                    )
                    for span in scope.spans
                ]
        return web.Response(content_type="application/x-protobuf")


@asynccontextmanager
async def collector() -> AsyncIterator[Collector]:
    """Listen on a free port."""
    collected = Collector()
    application = web.Application()
    application.router.add_post("/v1/traces", collected.take)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        collected.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield collected
    finally:
        await runner.cleanup()
