"""When a call may start: gate first, then its turn."""

import asyncio
import math
from types import TracebackType

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


class _Holding:
    """A place among the calls in flight, from its turn on. A class, for every request goes through one."""

    __slots__ = ("_gate", "_patience", "_turn", "_turns")

    def __init__(self, turns: Turns, gate: Gate, patience: float) -> None:
        self._turns = turns
        self._gate = gate
        self._patience = patience

    async def __aenter__(self) -> Turn:
        loop = asyncio.get_running_loop()
        ends = loop.time() + self._patience
        while True:
            await self._gate.passable()
            start = await self._turns.take(ends - loop.time())
            if start is None:
                continue
            # The gate may have closed while we waited.
            if (passage := self._gate.admit()) is not None:
                self._turn = Turn(self._turns, self._gate, start, passage)
                return self._turn
            self._turns.give_up(made=False)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._turns.give_up(made=self._turn.made)


class GatedAdmission:
    """Turns behind a gate. Keeps port `Admission`."""

    def __init__(self, turns: Turns, gate: Gate) -> None:
        self._turns = turns
        self._gate = gate

    def turn(self, patience: float = math.inf) -> _Holding:
        """Hold one place among the calls in flight; see the port."""
        return _Holding(self._turns, self._gate, patience)

    async def pause(self, seconds: float) -> None:
        """Wait between two attempts; see the port."""
        await self._gate.pause(seconds)
