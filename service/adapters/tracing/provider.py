"""Where spans go: the program's own tracer provider, or one as the `OTEL_` variables say.

The SDK reads sampler, resource, limits and the exporters' settings by itself. What it leaves to a launcher is
`OTEL_TRACES_EXPORTER`; its names are entry points. Source:
https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

import asyncio
import os
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from importlib.metadata import entry_points

from opentelemetry import trace
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from service.adapters.tracing.errors import TracingConfigurationError, wrong_variable
from service.adapters.version import DISTRIBUTION, installed_version

_EXPORTER = "OTEL_TRACES_EXPORTER"
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_GROUP = "opentelemetry_traces_exporter"
_OTLP = {"http/protobuf": "otlp_proto_http", "grpc": "otlp_proto_grpc"}
_LAST_SPANS_WITHIN = 5.0
"""Seconds that are left to an exporter at the end: less than an orchestrator's grace period leaves after the drain."""


@asynccontextmanager
async def tracer_provider() -> AsyncIterator[trace.TracerProvider]:
    """Give the provider that the program has set; without one, set one up for the time of the context.

    Raises:
        TracingConfigurationError: an exporter cannot be had.
    """
    given = trace.get_tracer_provider()
    if not isinstance(given, trace.ProxyTracerProvider):
        yield given
        return
    provider = _provider()
    try:
        for name in _exporters():
            provider.add_span_processor(_processor(name))
        yield provider
    finally:
        await _shut_down(provider)


def _provider() -> TracerProvider:
    try:
        return TracerProvider(resource=_resource(), shutdown_on_exit=False)
    except ValueError as error:
        raise wrong_variable(error) from error


def _resource() -> Resource:
    named = OTELResourceDetector().detect().attributes or {}
    ours = {SERVICE_NAME: DISTRIBUTION, SERVICE_VERSION: installed_version()}
    return Resource.create({name: value for name, value in ours.items() if name not in named})


def _exporters() -> list[str]:
    names = (part.strip() for part in _value(_EXPORTER, "otlp").split(","))
    return [name for name in dict.fromkeys(names) if name != "none"]


def _processor(name: str) -> SpanProcessor:
    entry = _otlp() if name == "otlp" else name
    for point in entry_points(group=_GROUP, name=entry):
        try:
            return BatchSpanProcessor(point.load()())
        except Exception as error:
            # Its message may quote a header, and with it a key.
            raise TracingConfigurationError(
                f"{_EXPORTER}={name}: the exporter cannot be set up ({type(error).__name__}); "
                "correct the OTEL_EXPORTER_ and OTEL_BSP_ variables, or set VIDEOGEN_TRACING__ENABLED=false"
            ) from error
    known = sorted({point.name for point in entry_points(group=_GROUP)})
    raise TracingConfigurationError(
        f"{_EXPORTER}={name}: no installed package has the exporter {entry!r}; install the one that has it, "
        f"or choose among: otlp, none, {', '.join(known)}"
    )


def _otlp() -> str:
    named = next((name for name in _PROTOCOLS if _value(name)), _PROTOCOLS[-1])
    protocol = _value(named, "http/protobuf")
    if protocol not in _OTLP:
        raise TracingConfigurationError(f"{named}={protocol}: not a known protocol; choose one of {', '.join(_OTLP)}")
    return _OTLP[protocol]


def _value(name: str, default: str = "") -> str:
    return os.environ.get(name, "").strip() or default


async def _shut_down(provider: TracerProvider) -> None:
    """Send what is left, but wait only so long.

    In a daemon thread: the interpreter waits at its end for those that asyncio would take.
    """
    loop, over = asyncio.get_running_loop(), asyncio.Event()

    def work() -> None:
        try:
            provider.shutdown()
        finally:
            # The loop may have closed meanwhile.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(over.set)

    threading.Thread(target=work, name="last spans", daemon=True).start()
    with suppress(TimeoutError):
        async with asyncio.timeout(_LAST_SPANS_WITHIN):
            await over.wait()
