"""Turns facts into Prometheus metrics (spec section 7); docs/metrics.md lists them all.

Every label value is bound at the start: a series exists before its first event, an event costs one lookup.
"""

from collections import deque
from collections.abc import Iterable
from enum import StrEnum
from typing import TypeVar

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    disable_created_metrics,
)

from service.adapters.loop_lag import INTERVAL
from service.adapters.version import installed_version
from service.core.call import ResultClass, result_class
from service.core.facts import (
    BrokerBlocked,
    CallEnded,
    ConsumerActive,
    DefectFound,
    DrainStarted,
    Fact,
    Joined,
    LinkDown,
    LinkRole,
    LinkUp,
    LoopLag,
    PublishAttempt,
    Published,
    Received,
    RetryPlanned,
    RetryReason,
    Settled,
    SettlementAbandoned,
)
from service.core.outcome import OutcomeLabel, outcome_label

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
"""Seconds; one set for all, because a call may take anything from milliseconds to minutes."""

_LAG_WINDOW = round(60 / INTERVAL)
"""Samples of which the largest is shown, a minute of them: a stall between two scrapes must not go unseen."""

# A try that lost its connection has no verdict; it shows in the reconnects, and the next try is counted.
_COUNTED_ATTEMPTS = tuple(attempt for attempt in PublishAttempt if attempt is not PublishAttempt.LOST)

_Label = TypeVar("_Label", bound=StrEnum)


class MetricsObserver:
    """Counts and times what the facts tell, and shows CPU time, memory and open files of the process."""

    def __init__(self, registry: CollectorRegistry, *, concurrency_limit: int) -> None:
        # Otherwise every counter and histogram has one more series, which nobody reads.
        disable_created_metrics()  # type: ignore[no-untyped-call] # the library has left it untyped
        self._requests = _Requests(registry)
        self._endpoint = _Endpoint(registry, concurrency_limit)
        self._broker = _Broker(registry)
        self._process = _Process(registry)

    def notify(self, fact: Fact) -> None:
        """Take notice."""
        match fact:
            case Received() | Joined() | Settled() | SettlementAbandoned():
                self._requests.notify(fact)
            case CallEnded() | RetryPlanned():
                self._endpoint.notify(fact)
            case Published() | LinkUp() | LinkDown() | ConsumerActive() | BrokerBlocked():
                self._broker.notify(fact)
            case LoopLag() | DrainStarted():
                self._process.notify(fact)
            case DefectFound():
                pass  # its request is settled as `internal`


class _Requests:
    def __init__(self, registry: CollectorRegistry) -> None:
        received = Counter(
            "videogen_requests_received_total", "Messages that arrived.", ["redelivered"], registry=registry
        )
        self._received = {flag: received.labels(str(flag).lower()) for flag in (False, True)}
        self._settled = _counters(
            "videogen_requests_settled_total",
            "Requests by what they came to.",
            "outcome",
            OutcomeLabel,
            registry,
        )
        self._seconds = _histograms(
            "videogen_request_seconds", "From delivery to settlement.", "outcome", OutcomeLabel, registry
        )
        self._in_flight = Gauge("videogen_requests_in_flight", "Requests being worked on.", registry=registry)
        self._queue_wait = Histogram(
            "videogen_queue_wait_seconds",
            "From the producer's timestamp to delivery.",
            buckets=_BUCKETS,
            registry=registry,
        )
        self._last_delivery = Gauge(
            "videogen_last_delivery_timestamp_seconds",
            "When the last message arrived; 0: none yet.",
            registry=registry,
        )

    def notify(self, fact: Received | Joined | Settled | SettlementAbandoned) -> None:
        match fact:
            case Received(redelivered=redelivered, at=at, queue_wait=queue_wait):
                self._received[redelivered].inc()
                self._in_flight.inc()
                self._last_delivery.set(at.timestamp())
                if queue_wait is not None:
                    self._queue_wait.observe(max(0.0, queue_wait))
            case Joined():
                self._settled[OutcomeLabel.DUPLICATE].inc()
                self._in_flight.dec()
            case Settled(outcome=outcome, seconds=seconds):
                label = outcome_label(outcome)
                self._settled[label].inc()
                self._seconds[label].observe(seconds)
                self._in_flight.dec()
            case SettlementAbandoned():
                self._in_flight.dec()


class _Endpoint:
    def __init__(self, registry: CollectorRegistry, concurrency_limit: int) -> None:
        self._calls = _counters(
            "videogen_endpoint_calls_total", "Calls by what they came to.", "result", ResultClass, registry
        )
        self._seconds = _histograms(
            "videogen_endpoint_call_seconds", "Duration of one call.", "result", ResultClass, registry
        )
        self._retries = _counters(
            "videogen_endpoint_retries_total", "Calls made again, by why.", "reason", RetryReason, registry
        )
        Gauge("videogen_concurrency_limit", "Most calls in flight at once.", registry=registry).set(concurrency_limit)

    def notify(self, fact: CallEnded | RetryPlanned) -> None:
        match fact:
            case CallEnded(result=result, seconds=seconds):
                label = result_class(result)
                self._calls[label].inc()
                self._seconds[label].observe(seconds)
            case RetryPlanned(reason=reason):
                self._retries[reason].inc()


class _Broker:
    def __init__(self, registry: CollectorRegistry) -> None:
        self._published = _counters(
            "videogen_results_published_total",
            "Tries to publish by how they ended.",
            "outcome",
            _COUNTED_ATTEMPTS,
            registry,
        )
        self._seconds = Histogram(
            "videogen_publish_seconds",
            "From publish to the broker's verdict.",
            buckets=_BUCKETS,
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
        self._draining = Gauge("videogen_draining", "1: the worker takes no more messages.", registry=registry)
        Info("videogen_build", "The running release.", registry=registry).info({"version": installed_version()})
        ProcessCollector(registry=registry)

    def notify(self, fact: LoopLag | DrainStarted) -> None:
        match fact:
            case LoopLag(seconds=seconds):
                self._lags.append(seconds)
            case DrainStarted():
                self._draining.set(1)


def _counters(
    name: str, text: str, label: str, values: Iterable[_Label], registry: CollectorRegistry
) -> dict[_Label, Counter]:
    counter = Counter(name, text, [label], registry=registry)
    return {value: counter.labels(value) for value in values}


def _histograms(
    name: str, text: str, label: str, values: Iterable[_Label], registry: CollectorRegistry
) -> dict[_Label, Histogram]:
    histogram = Histogram(name, text, [label], buckets=_BUCKETS, registry=registry)
    return {value: histogram.labels(value) for value in values}
