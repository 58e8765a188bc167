import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import choose_encoder
from prometheus_client.parser import text_string_to_metric_families

from service.adapters.loop_lag import INTERVAL
from service.adapters.metrics import MetricsObserver
from service.adapters.version import built_revision, installed_version
from service.core.call import Accepted, ResultClass
from service.core.completion import CompletionStatus
from service.core.facts import (
    CallEnded,
    CallPrevented,
    ConsumerActive,
    ConsumptionPaused,
    DrainStarted,
    Fact,
    Joined,
    LinkDown,
    LinkRole,
    LinkUp,
    LoopLag,
    PaceChanged,
    PauseReason,
    PublishAttempt,
    Published,
    Received,
    RetryPlanned,
    RetryReason,
    Settled,
    SettlementAbandoned,
)
from service.core.outcome import Interrupted, Outcome, OutcomeLabel, Postponed, Submitted
from service.core.task_facts import TaskCompleted, TaskPolled, TasksPending
from service.core.task_query import QueryClass
from tests.adapters.every_fact import AT, EVERY_FACT, HISTORY, TIER
from tests.support.records import record

DOCUMENT = Path(__file__).parents[2] / "docs" / "metrics.md"
ROW = re.compile(r"^\| `(videogen_\w+)` \| (\w+) \| (.*?) \|", re.MULTILINE)
LABEL = re.compile(r"`(\w+)`: ")

RECEIVED = Received(redelivered=False, at=AT, queue_wait=None)
SETTLED = Settled("request-1", "correlation-1", Submitted(record("task-1", "model", 1)), 2.0, redelivered=False)

Value = Callable[..., float | None]


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def observer(registry: CollectorRegistry) -> MetricsObserver:
    return MetricsObserver(registry, concurrency_limit=7, tiers=["10s", "1m", "5m", "30m"])


@pytest.fixture
def value(registry: CollectorRegistry) -> Value:
    return lambda name, **labels: registry.get_sample_value(f"videogen_{name}", labels)


def series(registry: CollectorRegistry) -> set[tuple[str, frozenset[tuple[str, str]]]]:
    families = text_string_to_metric_families(generate_latest(registry).decode())
    return {(sample.name, frozenset(sample.labels.items())) for family in families for sample in family.samples}


def documented() -> dict[str, tuple[str, list[str], str]]:
    rows = ROW.findall(DOCUMENT.read_text())
    return {name: (kind, LABEL.findall(labels), labels.partition(": ")[2]) for name, kind, labels in rows}


def exposed(registry: CollectorRegistry) -> dict[str, tuple[str, dict[str, set[str]]]]:
    suffixes = {"counter": "_total", "info": "_info"}
    found: dict[str, tuple[str, dict[str, set[str]]]] = {}
    for family in registry.collect():
        labels: dict[str, set[str]] = {}
        for sample in family.samples:
            for label, text in sample.labels.items():
                if label != "le":
                    labels.setdefault(label, set()).add(text)
        kind = "gauge" if family.type == "info" else family.type
        found[family.name + suffixes.get(family.type, "")] = (kind, labels)
    return {name: found[name] for name in found if name.startswith("videogen_")}


def test_the_document_lists_every_metric_with_type_and_label(
    observer: MetricsObserver, registry: CollectorRegistry
) -> None:
    actual = {name: (kind, list(labels)) for name, (kind, labels) in exposed(registry).items()}
    assert {name: (kind, labels) for name, (kind, labels, _) in documented().items()} == actual


def test_the_document_lists_every_label_value(observer: MetricsObserver, registry: CollectorRegistry) -> None:
    rows = {name: values for name, (_, _, values) in documented().items() if values.startswith("`")}
    listed = {name: set(re.findall(r"`(\w+)`", values)) for name, values in rows.items()}
    actual = exposed(registry)
    assert listed == {name: set().union(*actual[name][1].values()) for name in rows}


def test_every_series_is_there_from_the_start(observer: MetricsObserver, registry: CollectorRegistry) -> None:
    before = series(registry)
    for fact in EVERY_FACT:
        observer.notify(fact)
    assert series(registry) == before


def test_the_examples_cover_every_fact() -> None:
    assert {type(fact) for fact in EVERY_FACT} == set(get_args(Fact))


@pytest.mark.parametrize(
    ("metric", "label", "values"),
    [
        ("videogen_requests_settled_total", "outcome", {label.value for label in OutcomeLabel}),
        ("videogen_endpoint_calls_total", "result", {result.value for result in ResultClass}),
        ("videogen_results_published_total", "outcome", {"confirmed", "returned", "nacked", "timeout"}),
        ("videogen_requests_received_total", "redelivered", {"true", "false"}),
        ("videogen_retries_scheduled_total", "tier", {"10s", "1m", "5m", "30m"}),
        ("videogen_consumption_paused", "reason", {reason.value for reason in PauseReason}),
        ("videogen_tracking_polls_total", "result", {kind.value for kind in QueryClass}),
        ("videogen_completions_total", "outcome", {"succeeded", "failed", "lost"}),
    ],
)
def test_label_values_are_those_of_the_specification(
    observer: MetricsObserver, registry: CollectorRegistry, metric: str, label: str, values: set[str]
) -> None:
    assert {dict(labels)[label] for name, labels in series(registry) if name == metric} == values


def test_buckets_reach_600_seconds(observer: MetricsObserver, registry: CollectorRegistry) -> None:
    buckets = [(name, dict(labels)["le"]) for name, labels in series(registry) if name.endswith("_bucket")]
    names = {name for name, _ in buckets}
    assert {name for name, edge in buckets if edge == "600.0"} == names
    assert len(names) == 4


def test_no_creation_times_are_exposed(observer: MetricsObserver, registry: CollectorRegistry) -> None:
    assert not [name for name, _ in series(registry) if name.endswith("_created")]


def test_the_process_shows_its_own_use_of_the_machine(observer: MetricsObserver, registry: CollectorRegistry) -> None:
    assert "process_resident_memory_bytes" in {name for name, _ in series(registry)}


def test_a_delivery_is_received_and_in_flight(observer: MetricsObserver, value: Value) -> None:
    observer.notify(replace(RECEIVED, redelivered=True, queue_wait=4.0))
    assert value("requests_received_total", redelivered="true") == 1
    assert value("requests_received_total", redelivered="false") == 0
    assert value("requests_in_flight") == 1
    assert value("queue_wait_seconds_sum") == 4
    assert value("last_delivery_timestamp_seconds") == AT.timestamp()


def test_a_message_without_a_timestamp_has_no_queue_wait(observer: MetricsObserver, value: Value) -> None:
    observer.notify(RECEIVED)
    assert value("queue_wait_seconds_count") == 0


def test_a_settled_request_is_counted_and_timed(observer: MetricsObserver, value: Value) -> None:
    observer.notify(RECEIVED)
    observer.notify(SETTLED)
    assert value("requests_settled_total", outcome="submitted") == 1
    assert value("request_seconds_sum", outcome="submitted") == 2
    assert value("requests_in_flight") == 0


def test_a_joined_copy_settles_as_a_duplicate(observer: MetricsObserver, value: Value) -> None:
    observer.notify(RECEIVED)
    observer.notify(RECEIVED)
    observer.notify(Joined("request-1", redelivered=True))
    assert value("requests_settled_total", outcome="duplicate") == 1
    assert value("requests_in_flight") == 1


def test_a_joined_copy_is_a_call_that_was_not_made(observer: MetricsObserver, value: Value) -> None:
    observer.notify(Joined("request-1", redelivered=True))
    assert value("duplicate_calls_prevented_total") == 1


@pytest.mark.parametrize("in_doubt", [False, True])
def test_a_call_that_was_prevented_is_counted(observer: MetricsObserver, value: Value, *, in_doubt: bool) -> None:
    observer.notify(CallPrevented("request-1", in_doubt=in_doubt))
    assert value("duplicate_calls_prevented_total") == 1


def test_a_postponed_request_is_counted_by_its_tier(observer: MetricsObserver, value: Value) -> None:
    observer.notify(RECEIVED)
    observer.notify(replace(SETTLED, outcome=Postponed(TIER, HISTORY)))
    assert value("requests_settled_total", outcome="postponed") == 1
    assert value("retries_scheduled_total", tier="10s") == 1
    assert value("retries_scheduled_total", tier="1m") == 0
    assert value("requests_in_flight") == 0


def test_a_pause_shows_until_it_is_over(observer: MetricsObserver, value: Value) -> None:
    observer.notify(ConsumptionPaused(PauseReason.BLOCKED, paused=True, why="check key and balance"))
    assert value("consumption_paused", reason="blocked") == 1
    assert value("consumption_paused", reason="ledger") == 0
    observer.notify(ConsumptionPaused(PauseReason.BLOCKED, paused=False))
    assert value("consumption_paused", reason="blocked") == 0


@pytest.mark.parametrize(("rescued", "label"), [(False, "interrupted"), (True, "internal")])
@pytest.mark.parametrize("outcome", [None, Interrupted(0), Submitted(record("task-1", "model", 1))])
def test_an_abandoned_request_is_settled_and_no_longer_in_flight(
    observer: MetricsObserver, value: Value, outcome: Outcome | None, label: str, *, rescued: bool
) -> None:
    observer.notify(RECEIVED)
    observer.notify(SettlementAbandoned("request-1", outcome, rescued=rescued))
    assert value("requests_in_flight") == 0
    counted = {name: value("requests_settled_total", outcome=name) for name in OutcomeLabel}
    assert {name: count for name, count in counted.items() if count} == {label: 1}


def test_a_call_is_counted_and_timed(observer: MetricsObserver, value: Value) -> None:
    observer.notify(CallEnded("request-1", Accepted("task-1"), 3.0, 1))
    assert value("endpoint_calls_total", result="accepted") == 1
    assert value("endpoint_call_seconds_sum", result="accepted") == 3


def test_a_retry_is_counted_by_its_reason(observer: MetricsObserver, value: Value) -> None:
    observer.notify(RetryPlanned("request-1", RetryReason.THROTTLED, 1.0, 1))
    assert value("endpoint_retries_total", reason="throttled") == 1


def test_a_verdict_on_a_publish_is_counted_and_timed(observer: MetricsObserver, value: Value) -> None:
    observer.notify(Published(PublishAttempt.RETURNED, 0.5, is_result=True))
    assert value("results_published_total", outcome="returned") == 1
    assert value("publish_seconds_sum") == 0.5


def test_a_copy_of_a_failed_request_is_timed_but_is_no_result(observer: MetricsObserver, value: Value) -> None:
    observer.notify(Published(PublishAttempt.CONFIRMED, 0.5, is_result=False))
    assert value("results_published_total", outcome="confirmed") == 0
    assert value("publish_seconds_sum") == 0.5


def test_a_publish_that_lost_its_connection_is_not_counted(observer: MetricsObserver, value: Value) -> None:
    observer.notify(Published(PublishAttempt.LOST, 0.5, is_result=True))
    assert value("publish_seconds_count") == 0


def test_a_link_is_connected_until_it_is_down(observer: MetricsObserver, value: Value) -> None:
    observer.notify(LinkUp(LinkRole.PUBLISH, first=True))
    assert value("broker_connected", role="publish") == 1
    assert value("broker_connected", role="consume") == 0
    observer.notify(LinkDown(LinkRole.PUBLISH, "reset", 1.0))
    assert value("broker_connected", role="publish") == 0


def test_only_a_connection_made_again_counts_as_a_reconnect(observer: MetricsObserver, value: Value) -> None:
    observer.notify(LinkUp(LinkRole.CONSUME, first=True))
    assert value("broker_reconnects_total") == 0
    observer.notify(LinkUp(LinkRole.CONSUME, first=False))
    assert value("broker_reconnects_total") == 1


def test_the_consumer_ends_with_its_own_connection_alone(observer: MetricsObserver, value: Value) -> None:
    observer.notify(ConsumerActive(active=True))
    observer.notify(LinkDown(LinkRole.PUBLISH, "reset", 1.0))
    assert value("consumer_active") == 1
    observer.notify(LinkDown(LinkRole.CONSUME, "reset", 1.0))
    assert value("consumer_active") == 0


def test_the_largest_lag_of_the_last_minute_is_shown(observer: MetricsObserver, value: Value) -> None:
    for seconds in (0.1, 3.0, 0.2):
        observer.notify(LoopLag(seconds))
    assert value("event_loop_lag_seconds") == 3
    for _ in range(round(60 / INTERVAL)):
        observer.notify(LoopLag(0.2))
    assert value("event_loop_lag_seconds") == 0.2


def test_a_drain_shows(observer: MetricsObserver, value: Value) -> None:
    assert value("draining") == 0
    observer.notify(DrainStarted(1))
    assert value("draining") == 1


def test_the_limits_that_were_found_are_shown_until_they_are_over(observer: MetricsObserver, value: Value) -> None:
    assert value("rate_limit_calls_per_second") == 0
    observer.notify(PaceChanged(12.5, 3))
    assert (value("rate_limit_calls_per_second"), value("concurrency_limit")) == (12.5, 3)
    observer.notify(PaceChanged(None, 7))
    assert (value("rate_limit_calls_per_second"), value("concurrency_limit")) == (0, 7)


def test_a_query_is_counted_by_what_it_came_to(observer: MetricsObserver, value: Value) -> None:
    observer.notify(TaskPolled("request-1", "task-1", QueryClass.THROTTLED, 0.1))
    counted = {kind: value("tracking_polls_total", result=kind) for kind in QueryClass}
    assert {kind: count for kind, count in counted.items() if count} == {QueryClass.THROTTLED: 1}


@pytest.mark.parametrize("status", CompletionStatus)
def test_a_completion_is_counted_by_how_the_task_ended(
    observer: MetricsObserver, value: Value, status: CompletionStatus
) -> None:
    observer.notify(TaskCompleted("request-1", "task-1", status, parked=False))
    counted = {each: value("completions_total", outcome=each) for each in CompletionStatus}
    assert {each: count for each, count in counted.items() if count} == {status: 1}


def test_the_tasks_that_are_followed_are_shown(observer: MetricsObserver, value: Value) -> None:
    assert value("tasks_pending") == 0
    observer.notify(TasksPending(12))
    assert value("tasks_pending") == 12


def test_limit_and_release_are_shown(observer: MetricsObserver, value: Value) -> None:
    assert value("concurrency_limit") == 7
    assert value("build_info", version=installed_version(), revision=built_revision()) == 1


def test_a_bucket_names_the_trace_of_its_latest_request_where_openmetrics_is_asked_for(
    registry: CollectorRegistry,
) -> None:
    traces = iter([{"trace_id": "a1"}, {"trace_id": "b2"}, None])
    observer = MetricsObserver(registry, concurrency_limit=1, tiers=[], exemplar=lambda: next(traces))
    for seconds in (2.0, 2.1, 2.2):
        observer.notify(replace(SETTLED, seconds=seconds))

    encode, _ = choose_encoder("application/openmetrics-text; version=1.0.0")
    named = [line for line in encode(registry).decode().splitlines() if "trace_id" in line]
    (line,) = named
    assert line.startswith('videogen_request_seconds_bucket{le="2.5",outcome="submitted"} 3.0 # {trace_id="b2"} 2.1 ')
    assert "trace_id" not in generate_latest(registry).decode()


def test_without_tracing_no_bucket_names_a_trace(registry: CollectorRegistry, observer: MetricsObserver) -> None:
    observer.notify(SETTLED)

    encode, _ = choose_encoder("application/openmetrics-text; version=1.0.0")
    assert " # {" not in encode(registry).decode()
