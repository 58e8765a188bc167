"""Turns facts into Prometheus metrics (spec section 7); docs/metrics.md lists them all.

Every label value is bound at the start: a series exists before its first event, an event costs one lookup.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    disable_created_metrics,
)

from service.adapters.endpoint_metrics import EndpointMetrics
from service.adapters.loop_lag import INTERVAL
from service.adapters.metric_families import BUCKETS, counters, histograms
from service.adapters.tracking_metrics import TrackingMetrics
from service.adapters.version import built_revision, installed_version
from service.core.facts import (
    Advice,
    BrokerBlocked,
    CallEnded,
    CallPrevented,
    ConsumerActive,
    ConsumptionPaused,
    DefectFound,
    DrainStarted,
    Fact,
    Joined,
    KeyChanged,
    LinkDown,
    LinkRole,
    LinkUp,
    LoopLag,
    PaceChanged,
    Probing,
    PublishAttempt,
    Published,
    QueueRefuses,
    Received,
    RecordMissing,
    RetryPlanned,
    Settled,
    SettlementAbandoned,
)
from service.core.outcome import OutcomeLabel, Postponed, outcome_label
from service.core.task_facts import QueriesHeld, TaskCompleted, TaskPolled, TasksPending

Exemplar = Callable[[], dict[str, str] | None]

_LAG_WINDOW = round(60 / INTERVAL)
"""Samples of which the largest is shown, a minute of them: a stall between two scrapes must not go unseen."""

# A try that lost its connection has no verdict; it shows in the reconnects, and the next try is counted.
_COUNTED_ATTEMPTS = tuple(attempt for attempt in PublishAttempt if attempt is not PublishAttempt.LOST)


class MetricsObserver:
    """Counts and times what the facts tell, and shows CPU time, memory and open files of the process.

    `exemplar` names the trace of the request that a fact is about, where it has one.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        *,
        concurrency_limit: int,
        tiers: Iterable[str],
        exemplar: Exemplar = lambda: None,
    ) -> None:
        # Otherwise every counter and histogram has one more series, which nobody reads.
        disable_created_metrics()  # type: ignore[no-untyped-call] # the library has left it untyped
        self._requests = _Requests(registry, tiers, exemplar)
        self._endpoint = EndpointMetrics(registry, concurrency_limit)
        self._broker = _Broker(registry)
        self._process = _Process(registry)
        self._tracking = TrackingMetrics(registry)

    def notify(self, fact: Fact) -> None:
        """Take notice."""
        match fact:
            case Received() | Joined() | CallPrevented() | Settled() | SettlementAbandoned():
                self._requests.notify(fact)
            case CallEnded() | RetryPlanned() | ConsumptionPaused() | PaceChanged():
                self._endpoint.notify(fact)
            case Published() | LinkUp() | LinkDown() | ConsumerActive() | BrokerBlocked():
                self._broker.notify(fact)
            case LoopLag() | DrainStarted():
                self._process.notify(fact)
            case TaskPolled() | TaskCompleted() | TasksPending() | QueriesHeld():
                self._tracking.notify(fact)
            case DefectFound() | RecordMissing() | Probing() | KeyChanged() | Advice() | QueueRefuses():
                pass  # for the log alone: the request of the first is settled as `internal`


class _Requests:
    def __init__(self, registry: CollectorRegistry, tiers: Iterable[str], exemplar: Exemplar) -> None:
        self._exemplar = exemplar
        received = Counter(
            "videogen_requests_received_total", "Messages that arrived.", ["redelivered"], registry=registry
        )
        self._received = {flag: received.labels(str(flag).lower()) for flag in (False, True)}
        self._settled = counters(
            "videogen_requests_settled_total",
            "Requests by what they came to.",
            "outcome",
            OutcomeLabel,
            registry,
        )
        self._seconds = histograms(
            "videogen_request_seconds", "From delivery to settlement.", "outcome", OutcomeLabel, registry
        )
        self._scheduled = counters(
            "videogen_retries_scheduled_total", "Requests moved to a wait queue.", "tier", tiers, registry
        )
        self._prevented = Counter(
            "videogen_duplicate_calls_prevented_total",
            "Calls not made, because a copy of the request was or may have been paid for, or is running.",
            registry=registry,
        )
        self._in_flight = Gauge("videogen_requests_in_flight", "Requests being worked on.", registry=registry)
        self._queue_wait = Histogram(
            "videogen_queue_wait_seconds",
            "From the producer's timestamp to delivery.",
            buckets=BUCKETS,
            registry=registry,
        )
        self._last_delivery = Gauge(
            "videogen_last_delivery_timestamp_seconds",
            "When the last message arrived; 0: none yet.",
            registry=registry,
        )

    def notify(self, fact: Received | Joined | CallPrevented | Settled | SettlementAbandoned) -> None:
        match fact:
            case Received(redelivered=redelivered, at=at, queue_wait=queue_wait):
                self._received[redelivered].inc()
                self._in_flight.inc()
                self._last_delivery.set(at.timestamp())
                if queue_wait is not None:
                    self._queue_wait.observe(max(0.0, queue_wait))
            case Joined():
                self._settled[OutcomeLabel.DUPLICATE].inc()
                self._prevented.inc()
                self._in_flight.dec()
            case CallPrevented():
                self._prevented.inc()
            case Settled(outcome=outcome, seconds=seconds):
                label = outcome_label(outcome)
                self._settled[label].inc()
                self._seconds[label].observe(seconds, self._exemplar())
                self._in_flight.dec()
                if isinstance(outcome, Postponed):
                    self._scheduled[outcome.tier.name].inc()
            case SettlementAbandoned(rescued=rescued):
                self._settled[OutcomeLabel.INTERNAL if rescued else OutcomeLabel.INTERRUPTED].inc()
                self._in_flight.dec()


class _Broker:
    def __init__(self, registry: CollectorRegistry) -> None:
        self._published = counters(
            "videogen_results_published_total",
            "Tries to publish by how they ended.",
            "outcome",
            _COUNTED_ATTEMPTS,
            registry,
        )
        self._seconds = Histogram(
            "videogen_publish_seconds",
            "From publish to the broker's verdict.",
            buckets=BUCKETS,
            registry=registry,
        )
        connected = Gauge("videogen_broker_connected", "1: connected.", ["role"], registry=registry)
        self._connected = {role: connected.labels(role) for role in LinkRole}
        self._reconnects = Counter(
            "videogen_broker_reconnects_total", "Connections made again after a loss.", registry=registry
        )
        self._blocked = Gauge(
            "videogen_broker_blocked", "1: the broker holds publishes back (memory or disk alarm).", registry=registry
        )
        self._consumer = Gauge("videogen_consumer_active", "1: the broker confirmed the consumer.", registry=registry)

    def notify(self, fact: Published | LinkUp | LinkDown | ConsumerActive | BrokerBlocked) -> None:
        match fact:
            case Published(attempt=attempt, seconds=seconds, is_result=is_result):
                if attempt is PublishAttempt.LOST:
                    return  # it is made again, and counts then
                self._seconds.observe(seconds)
                if is_result:
                    self._published[attempt].inc()
            case LinkUp(role=role, first=first):
                self._connected[role].set(1)
                if not first:
                    self._reconnects.inc()
            case LinkDown(role=role):
                self._connected[role].set(0)
                if role is LinkRole.CONSUME:
                    self._consumer.set(0)
            case BrokerBlocked(blocked=blocked):
                self._blocked.set(int(blocked))
            case ConsumerActive(active=active):
                self._consumer.set(int(active))


class _Process:
    def __init__(self, registry: CollectorRegistry) -> None:
        self._lags: deque[float] = deque([0.0], maxlen=_LAG_WINDOW)
        lag = Gauge(
            "videogen_event_loop_lag_seconds",
            "Latest that a timer ran in the last minute.",
            registry=registry,
        )
        lag.set_function(lambda: max(self._lags))
        tasks = Gauge("videogen_event_loop_tasks", "Tasks of the event loop.", registry=registry)
        tasks.set_function(_tasks)
        self._draining = Gauge("videogen_draining", "1: the worker takes no more messages.", registry=registry)
        release = {"version": installed_version(), "revision": built_revision()}
        Info("videogen_build", "The running release.", registry=registry).info(release)
        ProcessCollector(registry=registry)

    def notify(self, fact: LoopLag | DrainStarted) -> None:
        match fact:
            case LoopLag(seconds=seconds):
                self._lags.append(seconds)
            case DrainStarted():
                self._draining.set(1)


def _tasks() -> int:
    try:
        return len(asyncio.all_tasks())
    except RuntimeError:
        # Read from outside the loop, as by a test.
        return 0
