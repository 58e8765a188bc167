"""Puts the parts of tracing together, for one worker."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from service.adapters.http_client import endpoint_url
from service.adapters.tracing.calls import TracedEndpoint, tell_status
from service.adapters.tracing.ids import exemplar
from service.adapters.tracing.instruments import Instruments
from service.adapters.tracing.messaging import broker_at
from service.adapters.tracing.occurrences import SpanObserver
from service.adapters.tracing.processing import TracedProcessing
from service.adapters.tracing.provider import tracer_provider
from service.adapters.tracing.publishes import TracedPublisher
from service.adapters.tracing.spans import Spans
from service.adapters.version import DISTRIBUTION, installed_version
from service.settings import ENDPOINT_PATH, Settings


@asynccontextmanager
async def instruments_for(settings: Settings) -> AsyncIterator[Instruments]:
    """Make the instruments of a worker with these settings.

    Raises:
        EndpointConfigurationError: the endpoint's address cannot be read.
        TracingConfigurationError: an exporter cannot be had.
    """
    url = endpoint_url(settings.endpoint.base_url, ENDPOINT_PATH)
    broker = broker_at(settings.broker.url.get_secret_value())
    async with tracer_provider() as provider:
        spans = Spans(provider.get_tracer(DISTRIBUTION, installed_version()))
        yield Instruments(
            tracing=TracedProcessing(spans, settings.topology.requests, broker),
            endpoint=lambda endpoint: TracedEndpoint(endpoint, spans, url),
            publisher=lambda publisher: TracedPublisher(publisher, spans, settings.topology, broker),
            observers=(SpanObserver(),),
            exemplar=exemplar,
            tell_status=tell_status,
        )
