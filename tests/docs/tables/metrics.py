"""The table of metrics: what `/metrics` of a worker with the default settings has from its start."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Metric

from service.adapters.metrics import MetricsObserver
from service.settings import RetrySettings, WorkerSettings
from tests.docs.tables.markdown import code, sentence, table

_SUFFIXES = {"counter": "_total", "info": "_info"}
# Told by the running build, so not a closed set.
_OF_THE_BUILD = "of this build"


def metrics_table() -> str:
    """Build the table in the order in which the worker shows its metrics."""
    return table(("Metric", "Type", "Label", "Meaning"), _rows(worker_registry()))


def worker_registry() -> CollectorRegistry:
    """Register every metric of a worker."""
    registry = CollectorRegistry()
    tiers = [tier.name for tier in RetrySettings().tiers]
    MetricsObserver(registry, concurrency_limit=WorkerSettings().concurrency, tiers=tiers)
    return registry


def _rows(registry: CollectorRegistry) -> Iterator[tuple[str, str, str, str]]:
    shown: set[tuple[str, tuple[str, ...]]] = set()
    for family in registry.collect():
        if family.name.startswith("videogen_"):
            name = family.name + _SUFFIXES.get(family.type, "")
            kind = "gauge" if family.type == "info" else family.type
            yield code(name), kind, "; ".join(_labels(family, shown)), sentence(family.documentation)


def _labels(family: Metric, shown: set[tuple[str, tuple[str, ...]]]) -> Iterator[str]:
    values: dict[str, dict[str, None]] = {}
    for sample in family.samples:
        for label, value in sample.labels.items():
            if label != "le":
                values.setdefault(label, {})[value] = None
    for label, found in values.items():
        entry = (label, tuple(found))
        if family.type == "info":
            yield f"{code(label)}: {_OF_THE_BUILD}"
        elif entry in shown:
            yield f"{code(label)}: as above"
        else:
            yield f"{code(label)}: {', '.join(map(code, found))}"
        shown.add(entry)
