"""The broker objects of spec section 4, as data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

DELIVERY_LIMIT = 20

# From RabbitMQ 4.0 a quorum queue drops what was given out 20 times, unless told otherwise. "Unlimited" is -1 there and
# refused by older brokers, so a number that nobody reaches stands for it.
_READ_ANY_NUMBER_OF_TIMES = 1_000_000_000


@dataclass(frozen=True, slots=True)
class QueueSpec:
    """A durable queue and its arguments."""

    name: str
    arguments: Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class Binding:
    """Routes `routing_key` of the topic exchange to a queue."""

    queue: str
    routing_key: str


@dataclass(frozen=True, slots=True)
class RetryTier:
    """One wait queue: its name in settings (`10s`) and the wait that it stands for."""

    name: str
    wait: timedelta


@dataclass(frozen=True, slots=True)
class Topology:
    """Names and arguments of every object, made from the prefix and a few settings.

    `tracking`: completions are published too, and have a default home.
    """

    prefix: str = "videogen"
    tiers: tuple[RetryTier, ...] = ()
    dead_ttl: timedelta = field(default=timedelta(days=7))
    tracking: bool = False

    @property
    def exchange(self) -> str:
        """The topic exchange."""
        return self.prefix

    @property
    def requests(self) -> str:
        """The queue that the worker consumes."""
        return f"{self.prefix}.requests"

    @property
    def results(self) -> str:
        """The default home of results."""
        return f"{self.prefix}.results"

    @property
    def completions(self) -> str:
        """The default home of completions; it is there only with `tracking`."""
        return f"{self.prefix}.completions"

    @property
    def dead(self) -> str:
        """Requests that ended in an error, and poison."""
        return f"{self.prefix}.dead"

    @property
    def undelivered(self) -> str:
        """Results whose reply queue no longer exists."""
        return f"{self.prefix}.undelivered"

    def retry_queue(self, tier: RetryTier) -> str:
        """Name the wait queue of a tier."""
        return f"{self.prefix}.retry.{tier.name}"

    @property
    def queues(self) -> tuple[QueueSpec, ...]:
        """Every queue, in the order in which they must be declared."""
        quorum: dict[str, str | int] = {"x-queue-type": "quorum"}
        kept: dict[str, str | int] = {**quorum, "x-delivery-limit": _READ_ANY_NUMBER_OF_TIMES}
        return (
            QueueSpec(self.dead, {**kept, "x-message-ttl": _milliseconds(self.dead_ttl)}),
            QueueSpec(self.undelivered, kept),
            QueueSpec(self.results, kept),
            *((QueueSpec(self.completions, kept),) if self.tracking else ()),
            QueueSpec(
                self.requests,
                {
                    **quorum,
                    "x-delivery-limit": DELIVERY_LIMIT,
                    **_dead_letter_at_least_once(self.dead),
                },
            ),
            *(
                QueueSpec(
                    self.retry_queue(tier),
                    {
                        **quorum,
                        "x-message-ttl": _milliseconds(tier.wait),
                        **_dead_letter_at_least_once(self.requests),
                    },
                )
                for tier in self.tiers
            ),
        )

    @property
    def bindings(self) -> tuple[Binding, ...]:
        """What the topic exchange routes where."""
        always = (Binding(self.requests, "request"), Binding(self.results, "result.#"))
        return (*always, Binding(self.completions, "completion.#")) if self.tracking else always


def _milliseconds(span: timedelta) -> int:
    return round(span.total_seconds() * 1000)


def _dead_letter_at_least_once(target: str) -> dict[str, str | int]:
    # RabbitMQ falls back to at-most-once unless the queue also rejects publishes on overflow.
    return {
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": target,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }
