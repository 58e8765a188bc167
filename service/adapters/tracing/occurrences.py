"""What happens to a request meanwhile, on the span at hand."""

from contextlib import suppress

from opentelemetry.trace import Span, get_current_span

from service.adapters.tracing import conventions as names
from service.adapters.tracing.spans import failed
from service.core.facts import (
    CallPrevented,
    DefectFound,
    Fact,
    PublishAttempt,
    Published,
    RetryPlanned,
    Settled,
    SettlementAbandoned,
)
from service.core.outcome import Failure, OutcomeLabel, Repeated, Submitted, outcome_label


class SpanObserver:
    """Writes facts on the span of the task that reports them. Where a task has none, there is nothing to write on."""

    def notify(self, fact: Fact) -> None:
        """Take notice."""
        span = get_current_span()
        # Facts are told in the middle of a request, which no span may end.
        with suppress(Exception):
            if span.is_recording():
                _write(span, fact)


def _write(span: Span, fact: Fact) -> None:
    match fact:
        case Settled():
            _settled(span, fact)
        case SettlementAbandoned():
            failed(span, OutcomeLabel.INTERNAL.value)
        case DefectFound(error=error):
            # Without its message, which may quote the payload.
            span.add_event(
                names.EXCEPTION, {names.EXCEPTION_TYPE: f"{type(error).__module__}.{type(error).__qualname__}"}
            )
        case RetryPlanned(reason=reason, delay=delay):
            span.add_event("retry planned", {names.RETRY_REASON: reason.value, names.RETRY_DELAY: delay})
        case CallPrevented(in_doubt=in_doubt):
            span.add_event("call prevented", {names.IN_DOUBT: in_doubt})
        case Published(attempt=attempt) if attempt is not PublishAttempt.CONFIRMED:
            span.add_event("publish attempt ended", {names.PUBLISH_OUTCOME: attempt.value})
        case _:
            pass  # no span says more for it


def _settled(span: Span, fact: Settled) -> None:
    label = outcome_label(fact.outcome).value
    span.set_attribute(names.OUTCOME, label)
    match fact.outcome:
        case Submitted(record=record) | Repeated(earlier=record):
            span.set_attribute(names.TASK_ID, record.task_id)
        case outcome if isinstance(outcome, Failure):
            failed(span, label)
        case _:
            pass  # it comes back, and another span tells the end
    if fact.parked:
        span.set_attribute(names.PARKED, value=True)
