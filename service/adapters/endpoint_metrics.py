"""Metrics of the calls, and of the pauses in which none is made."""

from prometheus_client import CollectorRegistry, Gauge

from service.adapters.metric_families import counters, gauges, histograms
from service.core.call import ResultClass, result_class
from service.core.facts import CallEnded, ConsumptionPaused, PaceChanged, PauseReason, RetryPlanned, RetryReason


class EndpointMetrics:
    """Counts and times calls; shows whether and why none may start."""

    def __init__(self, registry: CollectorRegistry, concurrency_limit: int) -> None:
        self._calls = counters(
            "videogen_endpoint_calls_total", "Calls by what they came to.", "result", ResultClass, registry
        )
        self._seconds = histograms(
            "videogen_endpoint_call_seconds", "Duration of one call.", "result", ResultClass, registry
        )
        self._retries = counters(
            "videogen_endpoint_retries_total", "Calls made again, by why.", "reason", RetryReason, registry
        )
        self._paused = gauges(
            "videogen_consumption_paused", "1: no message is taken, for this reason.", "reason", PauseReason, registry
        )
        self._concurrency = Gauge("videogen_concurrency_limit", "Most calls in flight at once.", registry=registry)
        self._concurrency.set(concurrency_limit)
        self._rate = Gauge(
            "videogen_rate_limit_calls_per_second",
            "Calls that may start in a second, as found from refusals; 0: no limit is known.",
            registry=registry,
        )

    def notify(self, fact: CallEnded | RetryPlanned | ConsumptionPaused | PaceChanged) -> None:
        """Take notice."""
        match fact:
            case CallEnded(result=result, seconds=seconds):
                label = result_class(result)
                self._calls[label].inc()
                self._seconds[label].observe(seconds)
            case RetryPlanned(reason=reason):
                self._retries[reason].inc()
            case ConsumptionPaused(reason=reason, paused=paused):
                self._paused[reason].set(int(paused))
            case PaceChanged(rate=rate, concurrency=concurrency):
                self._rate.set(rate or 0.0)
                self._concurrency.set(concurrency)
