"""What a broker is to its user, and how the search for one can fail."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

Say = Callable[[str], None]
"""Takes one line for a person to read."""


class BrokerKind(StrEnum):
    """Where a broker comes from."""

    GIVEN = "given"
    DOCKER = "docker"
    NODE = "node"


class Broker(Protocol):
    """A RabbitMQ that answers."""

    @property
    def url(self) -> str:
        """The AMQP address, credentials included."""
        ...

    @property
    def kind(self) -> BrokerKind:
        """Where it comes from."""
        ...

    @property
    def version(self) -> str:
        """The RabbitMQ version, as the server tells it."""
        ...


@dataclass(frozen=True, slots=True)
class RunningBroker:
    """A broker without controls."""

    url: str
    kind: BrokerKind
    version: str


class NoBrokerError(Exception):
    """There is no broker to be had; the message says what to install or to start."""


class PassedOverError(Exception):
    """One way to a broker is closed on this machine; the message is the reason, without a full stop."""
