import asyncio
import time

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import NoOpTracerProvider, ProxyTracerProvider
from typing_extensions import override

from service.adapters.tracing import provider as under_test
from service.adapters.tracing.errors import TracingConfigurationError
from service.adapters.tracing.provider import tracer_provider
from tests.support.spans import SpanMemory


@pytest.fixture
def none_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """The program has set no provider; that it has one by now cannot be undone."""
    monkeypatch.setattr(trace, "get_tracer_provider", ProxyTracerProvider)


async def opened() -> TracerProvider:
    async with tracer_provider() as provider:
        assert isinstance(provider, TracerProvider)
        return provider


async def test_the_provider_that_the_program_has_set_is_used_and_left_open(spans: SpanMemory) -> None:
    async with tracer_provider() as provider:
        assert provider is trace.get_tracer_provider()

    with provider.get_tracer("test").start_as_current_span("afterwards"):
        pass
    assert [span.name for span in spans.get_finished_spans()] == ["afterwards"]


async def test_a_provider_that_is_not_of_the_sdk_is_used_too(monkeypatch: pytest.MonkeyPatch) -> None:
    vendors = NoOpTracerProvider()
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: vendors)

    async with tracer_provider() as provider:
        assert provider is vendors


@pytest.mark.usefixtures("none_set")
async def test_the_service_is_named_after_the_worker_unless_the_environment_names_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    assert (await opened()).resource.attributes["service.name"] == "videogen-worker"
    monkeypatch.setenv("OTEL_SERVICE_NAME", "mine")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.version=7,deployment.environment.name=test")
    attributes = (await opened()).resource.attributes
    named = [attributes[name] for name in ("service.name", "service.version", "deployment.environment.name")]
    assert named == ["mine", "7", "test"]


@pytest.mark.usefixtures("none_set")
async def test_the_sampler_of_the_environment_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    async with tracer_provider() as provider:
        assert not provider.get_tracer("test").start_span("dropped").is_recording()


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"OTEL_TRACES_EXPORTER": "jaeger"}, "OTEL_TRACES_EXPORTER=jaeger: .* choose among: otlp, none, console"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "smoke"}, "OTEL_EXPORTER_OTLP_PROTOCOL=smoke: .* http/protobuf, grpc"),
        (
            {"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "smoke", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=smoke: ",
        ),
        ({"OTEL_BSP_MAX_QUEUE_SIZE": "-1"}, "OTEL_TRACES_EXPORTER=otlp: the exporter cannot be set up"),
        ({"OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "1k"}, "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT"),
    ],
)
@pytest.mark.usefixtures("none_set")
async def test_an_exporter_that_cannot_be_had_is_named_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], said: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(TracingConfigurationError, match=said):
        await opened()


class Stuck(SpanExporter):
    """A collector that takes for ever, even to be told to stop."""

    @override
    def export(self, spans: object) -> SpanExportResult:
        time.sleep(30)
        return SpanExportResult.FAILURE

    @override
    def shutdown(self) -> None:
        time.sleep(30)


@pytest.mark.usefixtures("none_set")
async def test_a_collector_that_hangs_holds_the_end_up_for_a_moment_only(monkeypatch: pytest.MonkeyPatch) -> None:
    class Found:
        name = "stuck"

        def load(self) -> type[Stuck]:
            return Stuck

    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "stuck")
    monkeypatch.setattr(under_test, "entry_points", lambda **_: [Found()])
    monkeypatch.setattr(under_test, "_LAST_SPANS_WITHIN", 0.2)
    async with asyncio.timeout(10):
        async with tracer_provider() as provider:
            provider.get_tracer("test").start_span("stuck").end()
