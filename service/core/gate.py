"""Opens and closes the way to the endpoint for all requests at once (spec section 3, blocked; section 5)."""

import asyncio
from collections.abc import Coroutine
from enum import Enum, auto

from service.core.drain import Drain
from service.core.facts import ConsumptionPaused, PauseReason
from service.core.ports import Observer

PROBED = frozenset({PauseReason.BLOCKED, PauseReason.ENDPOINT_DOWN})
"""Only a call can tell that these are over. They may last for hours, so requests in hand go back to the queue."""


class GateClosed(Exception):  # noqa: N818 - a signal, not an error
    """Raised where a call was about to start while the endpoint takes none."""


class HeldTooLong(Exception):  # noqa: N818 - a signal, not an error
    """Raised where a request waited for a broker or ledger for longer than it may."""


class Passage(Enum):
    """Why a call was let through."""

    FREE = auto()
    PROBE = auto()


class Gate:
    """Closed for any number of reasons, each on its own; open without one.

    `patience` is how many seconds a request in hand waits for a reason that is not probed to go away.
    """

    def __init__(self, drain: Drain, observer: Observer, patience: float) -> None:
        self._drain = drain
        self._observer = observer
        self._patience = patience
        self._closed: set[PauseReason] = set()
        self._probe_free = False
        self._changed = asyncio.Event()

    @property
    def closed(self) -> frozenset[PauseReason]:
        """Why the gate is closed; empty while it is open."""
        return frozenset(self._closed)

    @property
    def wants_probe(self) -> bool:
        """Whether nothing but the result of a call can open the gate now."""
        return bool(self._closed) and self._closed <= PROBED

    def close(self, reason: PauseReason, why: str) -> None:
        """Close; a second call for one reason changes nothing."""
        if reason not in self._closed:
            self._closed.add(reason)
            self._observer.notify(ConsumptionPaused(reason, paused=True, why=why))
            self._announce()

    def open(self, reason: PauseReason) -> None:
        """Take one reason away."""
        if reason in self._closed:
            self._closed.discard(reason)
            self._observer.notify(ConsumptionPaused(reason, paused=False))
            self._announce()

    def change(self) -> Coroutine[object, object, object]:
        """Wait for a reason to come or go, from the moment of this call on."""
        return self._changed.wait()

    def begin_probe(self) -> None:
        """Half-open: let one call through."""
        self._probe_free = True

    def end_probe(self) -> None:
        """Let no further probe through."""
        self._probe_free = False

    async def passable(self) -> None:
        """Wait until a call may be worth a slot.

        Raises:
            Draining: the worker stops.
            GateClosed: the endpoint takes no calls for now.
            HeldTooLong: broker or ledger stayed away.
        """
        if not self._closed:
            return
        try:
            async with asyncio.timeout(self._patience):
                while self._closed:
                    if self._withdraws and not self._probe_free:
                        raise GateClosed
                    if self.wants_probe:
                        return
                    await self._drain.race(self.change())
        except TimeoutError:
            raise HeldTooLong from None

    def admit(self) -> Passage | None:
        """Let a call through at this very moment, as the probe where that is why; None where none may pass."""
        if not self._closed:
            return Passage.FREE
        if self.wants_probe and self._probe_free:
            self._probe_free = False
            return Passage.PROBE
        return None

    def lets(self, passage: Passage) -> bool:
        """Tell whether a call that was let through may still start: something may have changed while it got ready."""
        if self._drain.begun:
            return False
        return not self._closed or (passage is Passage.PROBE and self.wants_probe)

    async def pause(self, seconds: float) -> None:
        """Wait `seconds` between two attempts.

        Raises:
            Draining: the worker stops.
            GateClosed: the endpoint takes no calls for now.
        """
        try:
            async with asyncio.timeout(seconds):
                while not self._withdraws:
                    await self._drain.race(self.change())
        except TimeoutError:
            return
        raise GateClosed

    @property
    def _withdraws(self) -> bool:
        return not self._closed.isdisjoint(PROBED)

    def _announce(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
