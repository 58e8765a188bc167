"""One call to the endpoint, as a span."""

from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import replace
from http import HTTPStatus
from itertools import count

import httpx
from opentelemetry.trace import SpanKind, get_current_span

from service.adapters.tracing import conventions as names
from service.adapters.tracing.context import headers_of
from service.adapters.tracing.spans import Spans, failed, note
from service.core.call import Accepted, Call, CallResult, FailedCall, NotSent, Uncertain, result_class
from service.core.ports import Endpoint

_METHOD = "POST"
# Each request has a task, and so a count, of its own.
_calls: ContextVar[Iterator[int]] = ContextVar("calls")


def count_calls_from_here() -> None:
    """Begin to count the calls of one delivery, in the task that works on it."""
    _calls.set(count())


class TracedEndpoint:
    """Keeps port `Endpoint`: a span for each call, which the endpoint is told in place of the producer's."""

    def __init__(self, endpoint: Endpoint, spans: Spans, url: httpx.URL) -> None:
        self._endpoint = endpoint
        self._spans = spans
        self._name = f"{_METHOD} {url.path}"
        self._common: dict[str, str | int | bool] = {
            names.REQUEST_METHOD: _METHOD,
            names.URL_FULL: str(url),
            names.URL_TEMPLATE: url.path,
            names.SERVER_ADDRESS: url.host,
            names.SERVER_PORT: url.port or (443 if url.scheme == "https" else 80),
        }

    async def submit(self, call: Call) -> CallResult:
        """Send one call, once; see the port."""
        made = call.earlier + next(_calls.get(iter(())), 0)
        attributes = self._common | {names.RESEND_COUNT: made} if made else self._common
        with self._spans.current(self._name, SpanKind.CLIENT, attributes) as span:
            result = await self._endpoint.submit(replace(call, trace=headers_of(span) or call.trace))
            note(span, names.CALL_RESULT, result_class(result).value)
            if not isinstance(result, Accepted):
                failed(span, _kind(result))
        return result


def tell_status(status: int) -> None:
    """Note the HTTP status on the span of the call that is under way in this task."""
    note(get_current_span(), names.RESPONSE_STATUS_CODE, status)


def _kind(result: FailedCall) -> str:
    status = result.answer.http_status
    if status is not None and status >= HTTPStatus.BAD_REQUEST:
        return str(status)
    return (result.reason if isinstance(result, NotSent | Uncertain) else result_class(result)).value
