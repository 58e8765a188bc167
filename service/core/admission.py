"""When a call may start: gate first, then its turn."""

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from service.core.call import CallResult
from service.core.gate import Gate, Passage
from service.core.rate import Start
from service.core.turns import Turns


class Turn:
    """One place among the calls in flight. Keeps port `Turn`."""

    def __init__(self, turns: Turns, gate: Gate, start: Start, passage: Passage) -> None:
        self._turns = turns
        self._gate = gate
        self._start = start
        self._passage = passage
        self.made = False

    def may_start(self) -> bool:
        """Tell whether the call may still start; see the port."""
        self.made = self._gate.lets(self._passage)
        return self.made

    def came_to(self, result: CallResult) -> None:
        """Learn from what the call came to; see the port."""
        self._turns.learn(self._start, result)


class GatedAdmission:
    """Turns behind a gate. Keeps port `Admission`."""

    def __init__(self, turns: Turns, gate: Gate) -> None:
        self._turns = turns
        self._gate = gate

    @asynccontextmanager
    async def turn(self, patience: float = math.inf) -> AsyncIterator[Turn]:
        """Hold one place among the calls in flight; see the port."""
        loop = asyncio.get_running_loop()
        ends = loop.time() + patience
        while True:
            await self._gate.passable()
            start = await self._turns.take(ends - loop.time())
            if start is None:
                continue
            # The gate may have closed while we waited.
            if (passage := self._gate.admit()) is None:
                self._turns.give_up(made=False)
                continue
            turn = Turn(self._turns, self._gate, start, passage)
            try:
                yield turn
            finally:
                self._turns.give_up(made=turn.made)
            return

    async def pause(self, seconds: float) -> None:
        """Wait between two attempts; see the port."""
        await self._gate.pause(seconds)
