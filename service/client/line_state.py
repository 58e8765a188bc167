"""What the connection does, for the log and for whoever waits in vain."""

import logging

from service.core.facts import Fact, LinkDown, LinkUp
from service.core.ports import Observer

_LOG = logging.getLogger(__name__)


class LineState:
    """Keeps port `Observer`, and passes on what it hears."""

    def __init__(self, listener: Observer | None) -> None:
        self._listener = listener
        self.why = "the broker did not answer yet"

    def notify(self, fact: Fact) -> None:
        """Take notice."""
        match fact:
            case LinkDown(reason=reason, retry_in=retry_in):
                self.why = reason
                _LOG.warning("No connection to the broker: %s. The next try is in %.1f s.", reason, retry_in)
            case LinkUp():
                self.why = "the broker takes no messages for now: look for a memory or disk alarm"
                _LOG.info("Connected to the broker.")
            case _:
                pass
        if self._listener is not None:
            self._listener.notify(fact)
