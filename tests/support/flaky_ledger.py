"""A ledger in memory that can be made to fail."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from enum import StrEnum
from typing import TypeVar

from service.adapters.ledger.tenure import Tenure
from service.adapters.ledger.volatile import VolatileLedger
from service.core.ledger import Claim, EntryDamaged, Found, Known, LedgerUnavailable, Permit, SubmittedRecord
from service.core.pending_task import Follow
from service.core.ports import Clock
from tests.support.fakes import Changes

_Answer = TypeVar("_Answer")


class LedgerFault(StrEnum):
    """What is wrong with an operation. `ANSWER_LOST`: it took effect, and nobody hears of it."""

    REFUSED = "refused"
    ANSWER_LOST = "answer_lost"
    HANGS = "hangs"


class FlakyLedger:
    """Keeps port `Ledger`.

    `begun` and `done` name the operations in order, such as `claim request-1`.
    """

    def __init__(self, clock: Clock) -> None:
        self.kept = VolatileLedger(Tenure("here", timedelta(minutes=1), timedelta(days=1), clock))
        self.begun: list[str] = []
        self.done: list[str] = []
        self._faults: dict[str, LedgerFault] = {}
        self._damaged: set[str] = set()
        self._changes = Changes()

    def suffer(self, fault: LedgerFault, *operations: str) -> None:
        self._faults |= dict.fromkeys(operations, fault)

    def damage(self, request_id: str) -> None:
        """Make an entry unreadable, until a task id takes its place."""
        self._damaged.add(request_id)

    def mend(self, *operations: str) -> None:
        for operation in operations or tuple(self._faults):
            del self._faults[operation]
        self._changes.happened()

    async def until(self, holds: Callable[[], bool]) -> None:
        await self._changes.until(holds)

    async def claim(self, request_id: str, attempt: int, permit: Permit) -> Claim:
        return await self._perform(
            "claim", request_id, lambda: self._readable(request_id).claim(request_id, attempt, permit)
        )

    async def find(self, request_id: str) -> Found:
        return await self._perform("find", request_id, lambda: self._readable(request_id).find(request_id))

    async def release(self, request_id: str) -> None:
        await self._perform("release", request_id, lambda: self._release(request_id))

    async def record(self, request_id: str, known: Known, follow: Follow | None = None) -> None:
        await self._perform("record", request_id, lambda: self._record(request_id, known, follow))

    async def ping(self) -> None:
        await self._perform("ping", "", self.kept.ping)

    def _readable(self, request_id: str) -> VolatileLedger:
        if request_id in self._damaged:
            raise EntryDamaged(f"the entry for request {request_id!r} is damaged: remove it")
        return self.kept

    async def _release(self, request_id: str) -> None:
        if request_id not in self._damaged:
            await self.kept.release(request_id)

    async def _record(self, request_id: str, known: Known, follow: Follow | None) -> None:
        if isinstance(known, SubmittedRecord):
            self._damaged.discard(request_id)
        if request_id not in self._damaged:
            await self.kept.record(request_id, known, follow)

    async def _perform(self, operation: str, request_id: str, effect: Callable[[], Awaitable[_Answer]]) -> _Answer:
        name = f"{operation} {request_id}".strip()
        self.begun.append(name)
        self._changes.happened()
        # Whoever waits for the ledger brings a patience of its own.
        await self._changes.until(lambda: self._faults.get(operation) is not LedgerFault.HANGS, guard=None)
        fault = self._faults.get(operation)
        if fault is LedgerFault.REFUSED:
            raise LedgerUnavailable("the ledger is away: start it")
        answer = await effect()
        if fault is LedgerFault.ANSWER_LOST:
            raise LedgerUnavailable("the ledger did not answer: look at its network")
        self.done.append(name)
        self._changes.happened()
        return answer
