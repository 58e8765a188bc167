"""The publish of a request as a span of the producer's, where its program uses OpenTelemetry."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from service.adapters.tracing.conventions import ERROR_TYPE
from service.adapters.tracing.messaging import PUBLISH, broker_at, destination_of, publishing_of
from service.adapters.version import DISTRIBUTION, installed_version
from service.client.outbound import Asked
from service.core.outgoing import Route
from service.core.trace import TRACEPARENT, TRACESTATE


class ProducerSpans:
    """Makes one span for each request that goes to `route` of the broker at `url`, below the program's current one."""

    def __init__(self, route: Route, url: str) -> None:
        self._route = route
        self._name = f"{PUBLISH} {destination_of(route)}"
        self._broker = broker_at(url)
        self._version = installed_version()

    @contextmanager
    def publishing(self, asked: Asked) -> Iterator[None]:
        """Stand for all tries of one publish, and have the request name the span.

        A request that its caller gave a trace keeps that. One that is asked again goes on naming its first publish.
        """
        given = asked.trace or asked.outbound.headers.keys() & {TRACEPARENT, TRACESTATE}
        # Whoever has a tracer provider or a span has imported this; the client does without.
        if given or "opentelemetry.trace" not in sys.modules:
            yield
            return
        from opentelemetry import trace  # noqa: PLC0415 - of an extra
        from opentelemetry.trace.propagation.tracecontext import (  # noqa: PLC0415 - of an extra
            TraceContextTextMapPropagator,
        )

        with trace.get_tracer(DISTRIBUTION, self._version).start_as_current_span(
            self._name,
            kind=trace.SpanKind.PRODUCER,
            attributes={
                **self._broker,
                **publishing_of(self._route, asked.outbound.body, asked.request_id, asked.correlation_id),
            },
            # It would write down the message of an exception, which may quote what is not ours to show.
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            TraceContextTextMapPropagator().inject(asked.trace)
            try:
                yield
            except BaseException as error:
                # An answer that overtakes the broker's confirm ends the wait for it.
                if not asked.answered:
                    span.set_attribute(ERROR_TYPE, type(error).__qualname__)
                    span.set_status(trace.StatusCode.ERROR)
                raise
