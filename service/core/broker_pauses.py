"""No call starts while its result could not be published."""

from service.core.facts import BrokerBlocked, Fact, LinkDown, LinkRole, LinkUp, PauseReason
from service.core.gate import Gate


class BrokerPauses:
    """Closes the gate while the publish link is down or held back by an alarm. Keeps port `Observer`."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._down = False
        self._blocked = False

    def notify(self, fact: Fact) -> None:
        """Take notice of the publish link."""
        match fact:
            case LinkDown(role=LinkRole.PUBLISH):
                self._down = True
            case LinkUp(role=LinkRole.PUBLISH):
                self._down = False
            case BrokerBlocked(blocked=blocked):
                self._blocked = blocked
            case _:
                return
        if self._down:
            self._gate.close(PauseReason.BROKER, "the broker connection that publishes results is down")
        elif self._blocked:
            self._gate.close(PauseReason.BROKER, "the broker holds publishes back (memory or disk alarm)")
        else:
            self._gate.open(PauseReason.BROKER)
