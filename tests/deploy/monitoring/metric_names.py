"""The metrics that exist: those of the worker as its code makes them, and the few of RabbitMQ that are used."""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from functools import cache

from prometheus_client import CollectorRegistry

from service.adapters.metrics import MetricsObserver
from service.settings import RetrySettings
from tests.deploy.monitoring.promql import grouping_labels, selectors

TARGET_LABELS = frozenset({"job", "namespace", "instance", "pod"})
"""What a scrape adds."""

ANY: frozenset[str] = frozenset()
"""Stands for the values of a label that are not a closed set."""

Metrics = Mapping[str, Mapping[str, AbstractSet[str]]]
"""Label values by name of metric and label."""

_QUEUE = {"vhost": ANY, "queue": ANY}
RABBITMQ: Metrics = {
    "rabbitmq_detailed_queue_messages": _QUEUE,
    "rabbitmq_detailed_queue_messages_ready": _QUEUE,
    "rabbitmq_detailed_queue_messages_unacked": _QUEUE,
    "rabbitmq_detailed_queue_consumers": _QUEUE,
    "rabbitmq_global_messages_dead_lettered_delivery_limit_total": {"queue_type": ANY, "dead_letter_strategy": ANY},
}
"""As RabbitMQ 3.10 to 4.0 have them; `test_dashboard_queries.py` asks a real one."""

OF_PROMETHEUS: Metrics = {"up": {}}


@cache
def worker_metrics() -> Metrics:
    """Ask the code: every label value is there before the first event."""
    registry = CollectorRegistry()
    MetricsObserver(registry, concurrency_limit=1, tiers=[tier.name for tier in RetrySettings().tiers])
    found: dict[str, dict[str, set[str]]] = {}
    for family in registry.collect():
        for sample in family.samples:
            labels = found.setdefault(sample.name, {})
            for label, value in sample.labels.items():
                labels.setdefault(label, set()).add(value)
    return found


def complaints(expression: str) -> Iterator[str]:
    """Name every metric, label and label value of an expression that does not exist."""
    known = {**worker_metrics(), **RABBITMQ, **OF_PROMETHEUS}
    asked = {selector.metric for selector in selectors(expression)}
    yield from (f"there is no metric {name}" for name in asked - known.keys())
    for selector in selectors(expression):
        labels = known.get(selector.metric, {})
        for matcher in selector.matchers:
            if matcher.label in TARGET_LABELS:
                continue
            if matcher.label not in labels:
                yield f"{selector.metric} has no label {matcher.label}"
            elif labels[matcher.label] and (strange := set(matcher.values) - labels[matcher.label]):
                yield f"{selector.metric} has no {matcher.label} {', '.join(sorted(strange))}"
    of_metrics = {label for name in asked for label in known.get(name, {})}
    for label in grouping_labels(expression) - of_metrics - TARGET_LABELS:
        yield f"no metric of this expression has the label {label}"
