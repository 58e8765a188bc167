"""The ids of the span at hand, for log lines and exemplars."""

from opentelemetry.trace import format_span_id, format_trace_id, get_current_span
from structlog.typing import EventDict, WrappedLogger


def add_ids(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Name the span at hand in a log line, where there is one (a structlog processor)."""
    event.update(_ids(sampled_only=False))
    return event


def exemplar() -> dict[str, str] | None:
    """Name the span at hand as OpenMetrics wants it; None where there is none that anybody could look up."""
    return _ids(sampled_only=True) or None


def _ids(*, sampled_only: bool) -> dict[str, str]:
    context = get_current_span().get_span_context()
    if not context.is_valid or (sampled_only and not context.trace_flags.sampled):
        return {}
    return {"trace_id": format_trace_id(context.trace_id), "span_id": format_span_id(context.span_id)}
