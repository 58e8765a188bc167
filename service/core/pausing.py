"""Stops consumption while the gate is closed, and tries with single messages whether it may open (spec section 3)."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, NoReturn

from service.core.facts import Probing
from service.core.gate import Gate
from service.core.ports import Consumption, Incoming, Observer


@dataclass(frozen=True, slots=True)
class ProbePolicy:
    """The first wait before a probe, and the longest; it doubles from probe to probe. Seconds."""

    first: float = 5.0
    cap: float = 300.0


class Pausing:
    """Consumption follows the gate.

    `try_one` takes one message in, at once, and gives something to wait on until its outcome is known.
    `calls` counts the calls that began: a message that led to none tells nothing of the pause.
    """

    def __init__(
        self,
        gate: Gate,
        consumption: Consumption,
        try_one: Callable[[Incoming], Awaitable[object]],
        calls: Callable[[], int],
        policy: ProbePolicy,
        observer: Observer,
    ) -> None:
        self._gate = gate
        self._consumption = consumption
        self._try_one = try_one
        self._calls = calls
        self._policy = policy
        self._observer = observer
        self._hurry = asyncio.Event()

    def hurry(self) -> None:
        """Probe at once and begin with short waits again: something changed, such as the key."""
        self._hurry.set()

    async def run(self) -> NoReturn:
        """Pause and resume until cancelled."""
        while True:
            while not self._gate.closed:
                await self._gate.change()
            self._hurry.clear()
            await self._consumption.pause()
            await self._until_open()
            await self._consumption.resume()

    async def _until_open(self) -> None:
        wait = self._policy.first
        while self._gate.closed:
            if not self._gate.wants_probe:
                await self._gate.change()
                continue
            await self._rest(wait)
            if self._hurry.is_set():
                self._hurry.clear()
                wait = self._policy.first
            if await self._probe(wait):
                wait = min(self._policy.cap, wait * 2)

    async def _rest(self, seconds: float) -> None:
        """Wait before the next probe, unless somebody hurries or a probe is of no use any more."""
        hurry = asyncio.ensure_future(self._hurry.wait())
        try:
            async with asyncio.timeout(seconds):
                while self._gate.wants_probe and not hurry.done():
                    await self._change_or(hurry)
        except TimeoutError:
            pass
        finally:
            hurry.cancel()

    async def _probe(self, wait: float) -> bool:
        """Let one message through, unless the gate changed meanwhile; tell whether it led to a call."""
        incoming = await self._consumption.take_one() if self._gate.wants_probe else None
        if incoming is None:
            return False
        self._observer.notify(Probing(incoming.delivery.message_id or "", min(self._policy.cap, wait * 2)))
        calls_before = self._calls()
        self._gate.begin_probe()
        # Taken in at once: a task that is cancelled before its first step would leave it unsettled for ever.
        tried = asyncio.ensure_future(self._try_one(incoming))
        try:
            # Its call may have opened the gate long before its outcome is known.
            while self._gate.closed and not tried.done():
                await self._change_or(tried)
        finally:
            self._gate.end_probe()
            tried.cancel()
        return self._calls() > calls_before

    async def _change_or(self, other: "asyncio.Future[Any]") -> None:
        change = asyncio.ensure_future(self._gate.change())
        try:
            await asyncio.wait({change, other}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            change.cancel()
