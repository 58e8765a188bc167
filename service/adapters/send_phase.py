"""How far a call got."""

from enum import IntEnum


class Phase(IntEnum):
    """How far a request may have got. `SENDING`: a first byte may have left, everything after it included.

    `CONNECTING`: a server was looked up, connected to and agreed on TLS with, or a proxy asked for a way to it; nothing
    of the request itself.
    """

    QUEUED = 0
    HANDED_OVER = 1
    CONNECTING = 2
    SENDING = 3


class SendPhase:
    """Follows one request; it never gets back to an earlier phase. `once`: it is not to be sent a second time."""

    def __init__(self, *, once: bool = True) -> None:
        self.phase = Phase.QUEUED
        self.once = once

    def reached(self, phase: Phase) -> None:
        """Note that the request got this far."""
        self.phase = max(self.phase, phase)
