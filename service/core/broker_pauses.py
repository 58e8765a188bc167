"""No message is taken while its result could not be published, or its copy not be kept."""

from service.core.facts import BrokerBlocked, Fact, LinkDown, LinkRole, LinkUp, PauseReason, QueueRefuses
from service.core.gate import Gate


class BrokerPauses:
    """Closes the gate while the publish link is down or held back, or a queue is full. Keeps port `Observer`."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._down = False
        self._blocked = False
        self._refusing: set[str] = set()

    def notify(self, fact: Fact) -> None:
        """Take notice of the publish link."""
        match fact:
            case LinkDown(role=LinkRole.PUBLISH):
                self._down = True
            case LinkUp(role=LinkRole.PUBLISH):
                self._down = False
            case BrokerBlocked(blocked=blocked):
                self._blocked = blocked
            case QueueRefuses(queue=queue, refuses=True):
                self._refusing.add(queue)
            case QueueRefuses(queue=queue):
                self._refusing.discard(queue)
            case _:
                return
        if self._down:
            self._gate.close(PauseReason.BROKER, "the broker connection that publishes results is down")
        elif self._blocked:
            self._gate.close(PauseReason.BROKER, "the broker holds publishes back (memory or disk alarm)")
        elif self._refusing:
            names = ", ".join(sorted(self._refusing))
            self._gate.close(PauseReason.BROKER, f"the broker takes no messages into {names}; make room there")
        else:
            self._gate.open(PauseReason.BROKER)
