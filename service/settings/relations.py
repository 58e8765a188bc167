"""What must hold between settings."""

from collections.abc import Iterator
from dataclasses import dataclass

from service.settings.durations import format_duration
from service.settings.groups import Settings
from service.settings.names import full_name

BROKER_URL = full_name(("broker", "url"))
CERT_FILE = full_name(("broker", "cert_file"))
KEY_FILE = full_name(("broker", "key_file"))
CA_FILE = full_name(("broker", "ca_file"))
PUBLISH_TIMEOUT = full_name(("broker", "publish_timeout"))
CONSUMER_TIMEOUT = full_name(("broker", "consumer_timeout"))
TIMEOUT = full_name(("endpoint", "timeout"))
CONNECT_TIMEOUT = full_name(("endpoint", "connect_timeout"))
DRAIN_TIMEOUT = full_name(("worker", "drain_timeout"))
BASE = full_name(("retry", "base"))
CAP = full_name(("retry", "cap"))
BUDGET = full_name(("retry", "budget"))


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
    yield from _certificates(settings)


def _drain(settings: Settings) -> Iterator[BrokenRelation]:
    endpoint, drain = settings.endpoint, settings.worker.drain_timeout
    call = endpoint.timeout + endpoint.connect_timeout
    if drain < call:
        yield BrokenRelation(
            (DRAIN_TIMEOUT, TIMEOUT, CONNECT_TIMEOUT),
            f"{_set(DRAIN_TIMEOUT, drain)} is shorter than a call may take: "
            f"{_set(TIMEOUT, endpoint.timeout)} plus {_set(CONNECT_TIMEOUT, endpoint.connect_timeout)}; "
            f"raise the first to {format_duration(call)} or more, or lower the others",
        )


def _hold(settings: Settings) -> Iterator[BrokenRelation]:
    endpoint, broker, budget = settings.endpoint, settings.broker, settings.retry.budget
    worst = budget + endpoint.connect_timeout + endpoint.timeout + broker.publish_timeout
    if worst >= broker.consumer_timeout:
        yield BrokenRelation(
            (CONSUMER_TIMEOUT, BUDGET, TIMEOUT, CONNECT_TIMEOUT, PUBLISH_TIMEOUT),
            f"{_set(CONSUMER_TIMEOUT, broker.consumer_timeout)} is not longer than a message may be held: "
            f"{_set(BUDGET, budget)} plus {_set(CONNECT_TIMEOUT, endpoint.connect_timeout)} plus "
            f"{_set(TIMEOUT, endpoint.timeout)} plus {_set(PUBLISH_TIMEOUT, broker.publish_timeout)}; "
            f"raise it at the broker and here to more than {format_duration(worst)}, or lower the others",
        )


def _connect(settings: Settings) -> Iterator[BrokenRelation]:
    endpoint = settings.endpoint
    if endpoint.connect_timeout > endpoint.timeout:
        yield _not_above(CONNECT_TIMEOUT, endpoint.connect_timeout, TIMEOUT, endpoint.timeout)


def _backoff(settings: Settings) -> Iterator[BrokenRelation]:
    retry = settings.retry
    if retry.base > retry.cap:
        yield _not_above(BASE, retry.base, CAP, retry.cap)
    if retry.base > retry.budget:
        yield _not_above(BASE, retry.base, BUDGET, retry.budget)


def _certificates(settings: Settings) -> Iterator[BrokenRelation]:
    broker = settings.broker
    if (broker.cert_file is None) != (broker.key_file is None):
        yield BrokenRelation(
            (CERT_FILE, KEY_FILE),
            f"{CERT_FILE} and {KEY_FILE} belong together; set both, or neither",
        )
    files = {CA_FILE: broker.ca_file, CERT_FILE: broker.cert_file, KEY_FILE: broker.key_file}
    given = tuple(name for name, file in files.items() if file is not None)
    if given and not broker.url.get_secret_value().lower().startswith("amqps:"):
        yield BrokenRelation(
            (BROKER_URL, *given),
            f"{' and '.join(given)} need TLS; make {BROKER_URL} start with amqps://, or leave them out",
        )


def _set(name: str, seconds: float) -> str:
    return f"{name}={format_duration(seconds)}"


def _not_above(low: str, low_value: float, high: str, high_value: float) -> BrokenRelation:
    return BrokenRelation(
        (low, high),
        f"{_set(low, low_value)} is above {_set(high, high_value)}; lower the first or raise the second",
    )
