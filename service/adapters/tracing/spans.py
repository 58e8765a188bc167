"""Starts and ends spans, in such a way that no request can suffer from it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import structlog
from opentelemetry.context import Context, attach, detach
from opentelemetry.trace import INVALID_SPAN, Link, Span, SpanKind, StatusCode, Tracer, set_span_in_context

from service.adapters.tracing.conventions import ERROR_TYPE, Attributes


def note(span: Span, name: str, value: str | bool | int) -> None:  # noqa: FBT001 - an attribute
    """Write on a span. One that is not the SDK's own may raise: a paid call's answer must not be lost for that."""
    with suppress(Exception):
        span.set_attribute(name, value)


def failed(span: Span, kind: str) -> None:
    """Mark what a span stands for as failed. `kind` is one of few names, and no message."""
    note(span, ERROR_TYPE, kind)
    with suppress(Exception):
        span.set_status(StatusCode.ERROR)


class Spans:
    """The spans of one tracer. What a sampler or a span processor raises is logged, once, and costs the span alone."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        self._told = False

    @contextmanager
    def current(
        self,
        name: str,
        kind: SpanKind,
        attributes: Attributes,
        parent: Context | None = None,
        links: Sequence[Link] = (),
    ) -> Iterator[Span]:
        """Start a span, make it the current one, and end it with the context.

        Its parent is the span that `parent` names; with None, the one that was current before.
        """
        span = self._start(name, kind, attributes, parent, links)
        token = attach(set_span_in_context(span))
        try:
            yield span
        except BaseException as error:
            # A cancellation too. Only the type: messages may quote a request or a key.
            failed(span, type(error).__qualname__)
            raise
        finally:
            detach(token)
            self._end(span)

    def _start(
        self, name: str, kind: SpanKind, attributes: Attributes, parent: Context | None, links: Sequence[Link]
    ) -> Span:
        try:
            return self._tracer.start_span(name, parent, kind, attributes, links)
        except Exception as error:  # noqa: BLE001 - whatever is plugged in must not fail a request
            self._tell(error)
            return INVALID_SPAN

    def _end(self, span: Span) -> None:
        try:
            span.end()
        except Exception as error:  # noqa: BLE001 - as above
            self._tell(error)

    def _tell(self, error: Exception) -> None:
        if not self._told:
            self._told = True
            structlog.get_logger().warning(
                "tracing failed: spans are missing, requests are not affected; look at what is plugged into it",
                exc_info=error,
            )
