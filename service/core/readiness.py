"""Whether the worker can take a request now, and if not, why."""

from collections.abc import Mapping
from dataclasses import dataclass

from service.core.facts import (
    BrokerBlocked,
    ConsumerActive,
    ConsumptionPaused,
    DrainStarted,
    Fact,
    LinkDown,
    LinkRole,
    LinkUp,
    PauseReason,
)


@dataclass(frozen=True, slots=True)
class Readiness:
    """What `/readyz` answers: ready without `reasons`, and the `details` that were looked at."""

    reasons: tuple[str, ...]
    details: Mapping[str, bool]

    @property
    def ok(self) -> bool:
        """Whether the worker is ready."""
        return not self.reasons


class ReadinessObserver:
    """Follows the facts. Nothing counts as up before the broker said so."""

    def __init__(self) -> None:
        self._connected = dict.fromkeys(LinkRole, False)
        self._consuming = False
        self._blocked = False
        self._paused: dict[PauseReason, str] = {}
        self._draining = False

    def notify(self, fact: Fact) -> None:
        """Take notice of links, consumer and drain."""
        match fact:
            case LinkUp(role=role):
                self._connected[role] = True
            case LinkDown(role=role):
                self._connected[role] = False
                # A consumer ends with its connection, also where nobody reports it.
                self._consuming = self._consuming and role is not LinkRole.CONSUME
            case ConsumerActive(active=active):
                self._consuming = active
            case BrokerBlocked(blocked=blocked):
                self._blocked = blocked
            case ConsumptionPaused(reason=reason, paused=True, why=why):
                self._paused[reason] = why
            case ConsumptionPaused(reason=reason):
                self._paused.pop(reason, None)
            case DrainStarted():
                self._draining = True
            case _:
                pass

    def ready(self) -> Readiness:
        """Tell whether a request that arrives now would be worked on."""
        reasons = [f"the broker connection for '{role}' is down" for role, up in self._connected.items() if not up]
        if not self._consuming:
            reasons.append("the broker has not confirmed the consumer")
        if self._blocked:
            reasons.append("the broker holds publishes back (memory or disk alarm)")
        reasons += [f"paused ({reason}): {why}" for reason, why in self._paused.items()]
        if self._draining:
            reasons.append("the worker is draining")
        details = {f"{role}_connected": up for role, up in self._connected.items()}
        details |= {f"paused_{reason}": reason in self._paused for reason in PauseReason}
        details |= {"consuming": self._consuming, "broker_blocked": self._blocked, "draining": self._draining}
        return Readiness(tuple(reasons), details)
