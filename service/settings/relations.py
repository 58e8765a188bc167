"""What must hold between settings."""

from collections.abc import Iterator
from dataclasses import dataclass

from service.settings.durations import format_duration
from service.settings.groups import BrokerSettings, LedgerSettings, Settings
from service.settings.names import full_name
from service.settings.value_types import NO_LEDGER

_BROKER_URL = full_name(("broker", "url"))
_LEDGER_URL = full_name(("ledger", "url"))
_PUBLISH_TIMEOUT = full_name(("broker", "publish_timeout"))
_CONSUMER_TIMEOUT = full_name(("broker", "consumer_timeout"))
_DEAD_TTL = full_name(("broker", "dead_ttl"))
_TIMEOUT = full_name(("endpoint", "timeout"))
_CONNECT_TIMEOUT = full_name(("endpoint", "connect_timeout"))
_DRAIN_TIMEOUT = full_name(("worker", "drain_timeout"))
_PATIENCE = full_name(("worker", "patience"))
_PROBE_FIRST = full_name(("worker", "probe_first"))
_PROBE_CAP = full_name(("worker", "probe_cap"))
_BASE = full_name(("retry", "base"))
_CAP = full_name(("retry", "cap"))
_BUDGET = full_name(("retry", "budget"))
_MAX_AGE = full_name(("retry", "max_age"))
_TIERS = full_name(("retry", "tiers"))
_TRACKING_FIRST = full_name(("tracking", "first"))
_TRACKING_CAP = full_name(("tracking", "cap"))
_LOST_AFTER = full_name(("tracking", "lost_after"))
_RETENTION = full_name(("ledger", "retention"))
_LEDGER_TIMEOUT = full_name(("ledger", "timeout"))


@dataclass(frozen=True, slots=True)
class BrokenRelation:
    """The settings that do not go together, by full name, and what to do."""

    names: tuple[str, ...]
    text: str


def broken_relations(settings: Settings) -> Iterator[BrokenRelation]:
    """Tell every relation that does not hold."""
    yield from _drain(settings)
    yield from _hold(settings)
    yield from _connect(settings)
    yield from _backoff(settings)
    yield from _probes(settings)
    yield from _tracking(settings)
    yield from _retention(settings)
    yield from _certificates(settings)


def _drain(settings: Settings) -> Iterator[BrokenRelation]:
    call, drain = settings.endpoint.timeout, settings.worker.drain_timeout
    if drain < call:
        yield BrokenRelation(
            (_DRAIN_TIMEOUT, _TIMEOUT),
            f"{_set(_DRAIN_TIMEOUT, drain)} is shorter than a call may take, {_set(_TIMEOUT, call)}; "
            "raise the first or lower the second",
        )


def _hold(settings: Settings) -> Iterator[BrokenRelation]:
    longest, limit = settings.longest_hold, settings.broker.consumer_timeout
    if longest < limit:
        return
    parts = {
        _BUDGET: settings.retry.budget,
        _TIMEOUT: settings.endpoint.timeout,
        _PATIENCE: settings.worker.patience,
        _PUBLISH_TIMEOUT: settings.broker.publish_timeout,
        _LEDGER_TIMEOUT: settings.ledger.timeout,
    }
    times = {_PATIENCE: "three times ", _LEDGER_TIMEOUT: "twice "}
    added = " plus ".join(f"{times.get(name, '')}{_set(name, value)}" for name, value in parts.items())
    yield BrokenRelation(
        (_CONSUMER_TIMEOUT, *parts),
        f"{_set(_CONSUMER_TIMEOUT, limit)} is not longer than one request may be held: {added}; "
        f"raise it at the broker and here to more than {format_duration(longest)}, or lower the others",
    )


def _connect(settings: Settings) -> Iterator[BrokenRelation]:
    endpoint = settings.endpoint
    if endpoint.connect_timeout > endpoint.timeout:
        yield _not_above(_CONNECT_TIMEOUT, endpoint.connect_timeout, _TIMEOUT, endpoint.timeout)


def _backoff(settings: Settings) -> Iterator[BrokenRelation]:
    retry = settings.retry
    if retry.base > retry.cap:
        yield _not_above(_BASE, retry.base, _CAP, retry.cap)
    if retry.base > retry.budget:
        yield _not_above(_BASE, retry.base, _BUDGET, retry.budget)
    if retry.budget > retry.max_age:
        yield _not_above(_BUDGET, retry.budget, _MAX_AGE, retry.max_age)


def _probes(settings: Settings) -> Iterator[BrokenRelation]:
    worker = settings.worker
    if worker.probe_first > worker.probe_cap:
        yield _not_above(_PROBE_FIRST, worker.probe_first, _PROBE_CAP, worker.probe_cap)


def _tracking(settings: Settings) -> Iterator[BrokenRelation]:
    tracking = settings.tracking
    if tracking.first > tracking.cap:
        yield _not_above(_TRACKING_FIRST, tracking.first, _TRACKING_CAP, tracking.cap)
    if tracking.cap > tracking.lost_after:
        yield _not_above(_TRACKING_CAP, tracking.cap, _LOST_AFTER, tracking.lost_after)


def _retention(settings: Settings) -> Iterator[BrokenRelation]:
    if settings.ledger.url.get_secret_value() == NO_LEDGER:
        return
    kept, retry = settings.ledger.retention, settings.retry
    waiting = retry.max_age + max(tier.wait.total_seconds() for tier in retry.tiers)
    if kept < waiting:
        yield BrokenRelation(
            (_RETENTION, _MAX_AGE, _TIERS),
            f"{_set(_RETENTION, kept)} is shorter than a request may wait to be called again, "
            f"{_set(_MAX_AGE, retry.max_age)} plus the longest of {_TIERS}, "
            "so one could be forgotten and paid for twice; "
            f"raise the first to at least {format_duration(waiting)}, or lower the others",
        )
    if kept < settings.broker.dead_ttl:
        yield BrokenRelation(
            (_RETENTION, _DEAD_TTL),
            f"{_set(_RETENTION, kept)} is shorter than {_set(_DEAD_TTL, settings.broker.dead_ttl)}, "
            "so a failed request could be replayed after it was forgotten, and paid for twice; "
            "raise the first or lower the second",
        )


def _certificates(settings: Settings) -> Iterator[BrokenRelation]:
    yield from _certificates_of("broker", settings.broker, _BROKER_URL, "amqps")
    yield from _certificates_of("ledger", settings.ledger, _LEDGER_URL, "rediss")


def _certificates_of(
    group: str, given: BrokerSettings | LedgerSettings, url: str, scheme: str
) -> Iterator[BrokenRelation]:
    ca_file, cert_file, key_file = (full_name((group, key)) for key in ("ca_file", "cert_file", "key_file"))
    if (given.cert_file is None) != (given.key_file is None):
        yield BrokenRelation((cert_file, key_file), f"{cert_file} and {key_file} belong together; set both, or neither")
    files = {ca_file: given.ca_file, cert_file: given.cert_file, key_file: given.key_file}
    named = tuple(name for name, file in files.items() if file is not None)
    if named and not given.url.get_secret_value().lower().startswith(f"{scheme}:"):
        need, them = ("needs", "it") if len(named) == 1 else ("need", "them")
        yield BrokenRelation(
            (url, *named),
            f"{' and '.join(named)} {need} TLS; make {url} start with {scheme}://, or leave {them} out",
        )


def _set(name: str, seconds: float) -> str:
    return f"{name}={format_duration(seconds)}"


def _not_above(low: str, low_value: float, high: str, high_value: float) -> BrokenRelation:
    return BrokenRelation(
        (low, high),
        f"{_set(low, low_value)} is above {_set(high, high_value)}; lower the first or raise the second",
    )
