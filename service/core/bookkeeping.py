"""Claims and records with the ledger, and remembers what the ledger could not take."""

import asyncio

from service.core.facts import DefectFound, PauseReason, RecordMissing
from service.core.gate import Gate
from service.core.ledger import Claim, Found, Known, LedgerUnavailable, Permit, SubmittedRecord
from service.core.pending_task import Follow
from service.core.ports import Ledger, Observer
from service.core.value_class import value_class


@value_class
class _Debt:
    """What the ledger is to be told: what a call came to, or (None) that a claim is void; and the task to follow."""

    known: Known | None
    follow: Follow | None = None


class Bookkeeping:
    """The ledger as one worker uses it. A failing ledger closes the gate; `watch_ledger` opens it again."""

    def __init__(self, ledger: Ledger, gate: Gate, observer: Observer, patience: float) -> None:
        self._ledger = ledger
        self._gate = gate
        self._observer = observer
        self._patience = patience
        self._debts: dict[str, _Debt] = {}
        self._settling = asyncio.Lock()

    async def claim(self, request_id: str, attempt: int, permit: Permit) -> Claim:
        """Claim a call.

        Raises:
            LedgerUnavailable: no call may follow. The gate is closed.
        """
        try:
            await self._settle_debt(request_id)
            return await self._ledger.claim(request_id, attempt, permit)
        except LedgerUnavailable as unavailable:
            # Whether the claim is on record is unknown; that no call follows it is not.
            self._debts.setdefault(request_id, _Debt(None))
            self._gate.close(PauseReason.LEDGER, str(unavailable))
            raise

    async def find(self, request_id: str) -> Found:
        """Look a request up.

        Raises:
            LedgerUnavailable: the gate is closed.
        """
        try:
            await self._settle_debt(request_id)
            return await self._ledger.find(request_id)
        except LedgerUnavailable as unavailable:
            self._gate.close(PauseReason.LEDGER, str(unavailable))
            raise

    async def note(self, request_id: str, known: Known | None, follow: Follow | None = None) -> None:
        """Record what a claimed call came to, or (None) that it was surely not accepted; and the task to `follow`.

        Comes back when it is on record. Where the ledger stays away for longer than patience lasts, it is owed and told
        later: until then a crash would make the request one in doubt, but never lead to another call.
        """
        try:
            async with asyncio.timeout(self._patience):
                await self._until_taken(request_id, _Debt(known, follow))
        except asyncio.CancelledError:
            # The drain ran out of time: the log is the last place that can name a paid task.
            self._miss(request_id, _Debt(known, follow))
            raise
        except Exception as error:  # noqa: BLE001 - a defect of the ledger must not cost a task id its result
            self._miss(request_id, _Debt(known, follow))
            if not isinstance(error, TimeoutError):
                self._observer.notify(DefectFound(request_id, error))
                return
            # It may have hung without an error, and only `watch_ledger` tells what is owed.
            self._gate.close(PauseReason.LEDGER, "the ledger did not take a result in time; check that it answers")

    async def settle_debts(self) -> None:
        """Tell the ledger what it could not take before.

        Raises:
            LedgerUnavailable: it still cannot.
        """
        # Others may be added meanwhile; what is left when the gate opens would be told at the next fault only.
        while self._debts:
            await self._settle_debt(next(iter(self._debts)))

    def _miss(self, request_id: str, debt: _Debt) -> None:
        self._debts[request_id] = debt
        task_id = debt.known.task_id if isinstance(debt.known, SubmittedRecord) else None
        self._observer.notify(RecordMissing(request_id, task_id))

    async def _until_taken(self, request_id: str, debt: _Debt) -> None:
        while True:
            try:
                await self._tell(request_id, debt)
            except LedgerUnavailable as unavailable:
                self._gate.close(PauseReason.LEDGER, str(unavailable))
            else:
                return
            while PauseReason.LEDGER in self._gate.closed:
                await self._gate.change()

    async def _settle_debt(self, request_id: str) -> None:
        if request_id not in self._debts:
            return
        # One at a time: a release that is told twice could undo a claim made in between.
        async with self._settling:
            if (debt := self._debts.get(request_id)) is not None:
                await self._tell(request_id, debt)
                del self._debts[request_id]

    async def _tell(self, request_id: str, debt: _Debt) -> None:
        if debt.known is None:
            await self._ledger.release(request_id)
        else:
            await self._ledger.record(request_id, debt.known, debt.follow)
