import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode

from service.adapters.tracing.occurrences import SpanObserver
from service.adapters.tracing.spans import Spans
from service.core.call import Answer
from service.core.facts import (
    CallPrevented,
    DefectFound,
    Fact,
    PublishAttempt,
    Published,
    RetryPlanned,
    RetryReason,
    Settled,
    SettlementAbandoned,
)
from service.core.history import History
from service.core.ledger import SubmittedRecord
from service.core.outcome import Defect, Interrupted, Invalid, Outcome, Rejected, Repeated, Submitted, Withdrawn
from tests.adapters.every_fact import EVERY_FACT, KEY, PROMPT
from tests.support.fakes import NEW_YEAR
from tests.support.records import record
from tests.support.spans import SpanMemory


def told(spans: SpanMemory, *facts: Fact) -> ReadableSpan:
    with Spans(trace.get_tracer("test")).current("processing", SpanKind.CONSUMER, {}):
        for fact in facts:
            SpanObserver().notify(fact)
    return spans.get_finished_spans()[-1]


def settled(outcome: Outcome, *, parked: bool = False) -> Settled:
    return Settled("r", "c", outcome, 1.0, redelivered=False, parked=parked)


@pytest.mark.parametrize(
    ("outcome", "attributes"),
    [
        (Submitted(record("t-1", "wan", 1)), {"videogen.outcome": "submitted", "videogen.task_id": "t-1"}),
        (
            Repeated(SubmittedRecord("t-0", "wan", 1, NEW_YEAR)),
            {"videogen.outcome": "duplicate", "videogen.task_id": "t-0"},
        ),
        (Interrupted(0), {"videogen.outcome": "interrupted"}),
        (Withdrawn(History(NEW_YEAR)), {"videogen.outcome": "interrupted"}),
    ],
)
def test_what_a_request_came_to_is_on_its_span(spans: SpanMemory, outcome: Outcome, attributes: dict[str, str]) -> None:
    span = told(spans, settled(outcome))

    assert span.attributes == attributes
    assert span.status.status_code is StatusCode.UNSET


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (Rejected(Answer(400), 1), "rejected"),
        (Invalid(()), "invalid_request"),
        (Defect(called=False), "internal"),
    ],
)
def test_a_request_that_failed_is_a_span_that_failed(spans: SpanMemory, outcome: Outcome, code: str) -> None:
    span = told(spans, settled(outcome))

    assert span.attributes == {"videogen.outcome": code, "error.type": code}
    assert span.status.status_code is StatusCode.ERROR


def test_a_result_that_was_parked_and_a_request_that_was_abandoned_are_told(spans: SpanMemory) -> None:
    parked = told(spans, settled(Submitted(record("t-1", "wan", 1)), parked=True))
    abandoned = told(spans, SettlementAbandoned("r", None, rescued=True))

    assert parked.attributes is not None
    assert parked.attributes["videogen.parked"] is True
    assert abandoned.status.status_code is StatusCode.ERROR


def test_what_happens_on_the_way_is_an_event(spans: SpanMemory) -> None:
    span = told(
        spans,
        RetryPlanned("r", RetryReason.THROTTLED, 1.5, 1),
        CallPrevented("r", in_doubt=True),
        Published(PublishAttempt.CONFIRMED, 0.1, is_result=True),
        Published(PublishAttempt.LOST, 0.1, is_result=True),
        DefectFound("r", ZeroDivisionError("hush")),
    )

    assert [(event.name, dict(event.attributes or {})) for event in span.events] == [
        ("retry planned", {"videogen.retry.reason": "throttled", "videogen.retry.delay": 1.5}),
        ("call prevented", {"videogen.in_doubt": True}),
        ("publish attempt ended", {"videogen.publish_outcome": "lost"}),
        ("exception", {"exception.type": "builtins.ZeroDivisionError"}),
    ]


def test_no_fact_brings_a_payload_or_a_secret_into_a_span(spans: SpanMemory) -> None:
    written = told(spans, *EVERY_FACT).to_json()

    assert "videogen.outcome" in written
    assert KEY not in written
    assert PROMPT not in written


def test_a_fact_of_a_task_without_a_span_is_passed_over(spans: SpanMemory) -> None:
    SpanObserver().notify(settled(Submitted(record("t-1", "wan", 1))))

    assert spans.get_finished_spans() == ()
