import pytest
from opentelemetry import trace
from opentelemetry.trace import INVALID_SPAN, get_current_span

from service.adapters.tracing.context import context_in, headers_of
from tests.support.spans import TRACEPARENT


@pytest.mark.parametrize(
    "headers",
    [
        {"traceparent": TRACEPARENT},
        {"traceparent": TRACEPARENT, "tracestate": "vendor=1,other=2"},
        {"traceparent": f"{TRACEPARENT[:-2]}00"},
    ],
)
def test_what_is_read_from_headers_is_written_again(headers: dict[str, str]) -> None:
    assert headers_of(get_current_span(context_in(headers))) == headers


def test_headers_as_bytes_and_of_a_later_version_are_read() -> None:
    context = context_in({"traceparent": f"cc{TRACEPARENT[2:]}-more".encode()})

    assert headers_of(get_current_span(context)) == {"traceparent": TRACEPARENT}


def test_headers_that_name_no_span_give_none_whatever_is_current() -> None:
    with trace.use_span(get_current_span(context_in({"traceparent": TRACEPARENT}))):
        assert get_current_span(context_in({"traceparent": "nonsense"})) is INVALID_SPAN


def test_a_span_without_ids_is_written_nowhere() -> None:
    assert headers_of(INVALID_SPAN) == {}
