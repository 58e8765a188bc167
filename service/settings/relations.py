"""What must hold between settings."""

from collections.abc import Iterator
from dataclasses import dataclass

from service.settings.durations import format_duration
from service.settings.groups import Settings
from service.settings.names import full_name

_BROKER_URL = full_name(("broker", "url"))
_CERT_FILE = full_name(("broker", "cert_file"))
_KEY_FILE = full_name(("broker", "key_file"))
_CA_FILE = full_name(("broker", "ca_file"))
_PUBLISH_TIMEOUT = full_name(("broker", "publish_timeout"))
_CONSUMER_TIMEOUT = full_name(("broker", "consumer_timeout"))
_TIMEOUT = full_name(("endpoint", "timeout"))
_CONNECT_TIMEOUT = full_name(("endpoint", "connect_timeout"))
_DRAIN_TIMEOUT = full_name(("worker", "drain_timeout"))
_BASE = full_name(("retry", "base"))
_CAP = full_name(("retry", "cap"))
_BUDGET = full_name(("retry", "budget"))


@dataclass(frozen=True, slots=True)
class BrokenRelation:
    """The settings that do not go together, by full name, and what to do."""

    names: tuple[str, ...]
    text: str


def broken_relations(settings: Settings) -> Iterator[BrokenRelation]:
    """Tell every relation that does not hold."""
    yield from _drain(settings)
    yield from _call_and_reply(settings)
    yield from _connect(settings)
    yield from _backoff(settings)
    yield from _certificates(settings)


def _drain(settings: Settings) -> Iterator[BrokenRelation]:
    call, drain = settings.endpoint.timeout, settings.worker.drain_timeout
    if drain < call:
        yield BrokenRelation(
            (_DRAIN_TIMEOUT, _TIMEOUT),
            f"{_set(_DRAIN_TIMEOUT, drain)} is shorter than a call may take, {_set(_TIMEOUT, call)}; "
            "raise the first or lower the second",
        )


def _call_and_reply(settings: Settings) -> Iterator[BrokenRelation]:
    # What a request does for itself. Waiting for a free slot and for a broker that is away come on top, unbounded.
    endpoint, broker, budget = settings.endpoint, settings.broker, settings.retry.budget
    longest = budget + endpoint.timeout + broker.publish_timeout
    if longest >= broker.consumer_timeout:
        yield BrokenRelation(
            (_CONSUMER_TIMEOUT, _BUDGET, _TIMEOUT, _PUBLISH_TIMEOUT),
            f"{_set(_CONSUMER_TIMEOUT, broker.consumer_timeout)} is not longer than the calls and the reply of one "
            f"request may take: {_set(_BUDGET, budget)} plus {_set(_TIMEOUT, endpoint.timeout)} plus "
            f"{_set(_PUBLISH_TIMEOUT, broker.publish_timeout)}; "
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


def _certificates(settings: Settings) -> Iterator[BrokenRelation]:
    broker = settings.broker
    if (broker.cert_file is None) != (broker.key_file is None):
        yield BrokenRelation(
            (_CERT_FILE, _KEY_FILE),
            f"{_CERT_FILE} and {_KEY_FILE} belong together; set both, or neither",
        )
    files = {_CA_FILE: broker.ca_file, _CERT_FILE: broker.cert_file, _KEY_FILE: broker.key_file}
    given = tuple(name for name, file in files.items() if file is not None)
    if given and not broker.url.get_secret_value().lower().startswith("amqps:"):
        need, them = ("needs", "it") if len(given) == 1 else ("need", "them")
        yield BrokenRelation(
            (_BROKER_URL, *given),
            f"{' and '.join(given)} {need} TLS; make {_BROKER_URL} start with amqps://, or leave {them} out",
        )


def _set(name: str, seconds: float) -> str:
    return f"{name}={format_duration(seconds)}"


def _not_above(low: str, low_value: float, high: str, high_value: float) -> BrokenRelation:
    return BrokenRelation(
        (low, high),
        f"{_set(low, low_value)} is above {_set(high, high_value)}; lower the first or raise the second",
    )
