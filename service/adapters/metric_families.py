"""Metrics with one label, every value of it bound at the start: an event costs one lookup."""

from collections.abc import Iterable
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
"""Seconds; one set for all, because a call may take anything from milliseconds to minutes."""

LabelT = TypeVar("LabelT", bound=str)


def counters(
    name: str, text: str, label: str, values: Iterable[LabelT], registry: CollectorRegistry
) -> dict[LabelT, Counter]:
    """Make one counter, bound for each of `values`."""
    counter = Counter(name, text, [label], registry=registry)
    return {value: counter.labels(value) for value in values}


def histograms(
    name: str, text: str, label: str, values: Iterable[LabelT], registry: CollectorRegistry
) -> dict[LabelT, Histogram]:
    """Make one histogram of seconds, bound for each of `values`."""
    histogram = Histogram(name, text, [label], buckets=BUCKETS, registry=registry)
    return {value: histogram.labels(value) for value in values}


def gauges(
    name: str, text: str, label: str, values: Iterable[LabelT], registry: CollectorRegistry
) -> dict[LabelT, Gauge]:
    """Make one gauge, bound for each of `values`."""
    gauge = Gauge(name, text, [label], registry=registry)
    return {value: gauge.labels(value) for value in values}
