"""The ledger `none`: known to this process alone, and gone with it."""

from collections import OrderedDict

from service.adapters.ledger.tenure import Tenure
from service.adapters.ledger.volatile_tasks import VolatileTasks
from service.core import ledger
from service.core.ledger import Claim, Entry, Found, Known, Permit, Running, Terms
from service.core.pending_task import Follow

LIMIT = 10_000


class VolatileLedger:
    """Keeps port `Ledger` in memory.

    Above `limit` requests the one that was written longest ago is forgotten; a call under way never is.
    """

    def __init__(self, tenure: Tenure, limit: int = LIMIT) -> None:
        self._tenure = tenure
        self._limit = limit
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        self.tasks = VolatileTasks(tenure)

    def __len__(self) -> int:
        return len(self._entries)

    async def claim(self, request_id: str, attempt: int, permit: Permit) -> Claim:
        """Put the intent to make the `attempt`-th call on record, unless what is there forbids it."""
        before, terms = self._entries.get(request_id), self._tenure.terms()
        claim, after = ledger.claim(before, attempt, permit, terms)
        self._keep(request_id, before, after, terms)
        return claim

    async def find(self, request_id: str) -> Found:
        """Tell what is known of a request, without a claim."""
        return ledger.found(self._entries.get(request_id), self._tenure.terms())

    async def release(self, request_id: str) -> None:
        """Take our intent off the record: the call was surely not accepted."""
        before, terms = self._entries.get(request_id), self._tenure.terms()
        self._keep(request_id, before, ledger.release(before, terms), terms)

    async def record(self, request_id: str, known: Known, follow: Follow | None = None) -> None:
        """Put on record what a call came to, and the task to `follow`."""
        before, terms = self._entries.get(request_id), self._tenure.terms()
        self._keep(request_id, before, ledger.record(before, known, terms), terms)
        if follow is not None:
            self.tasks.follow(follow)

    async def ping(self) -> None:
        """Do nothing: memory always takes a claim."""

    async def durability_warnings(self) -> tuple[str, ...]:
        """Say what is not kept."""
        warning = (
            "VIDEOGEN_LEDGER__URL is none: what was called is forgotten when the worker ends, "
            "and a request that it had in hand may be paid for twice"
        )
        return (warning,)

    def _keep(self, request_id: str, before: Entry | None, after: Entry | None, terms: Terms) -> None:
        if after is None:
            self._entries.pop(request_id, None)
        elif after != before:
            self._entries[request_id] = after
            self._entries.move_to_end(request_id)
            self._forget_surplus(terms)

    def _forget_surplus(self, terms: Terms) -> None:
        while len(self._entries) > self._limit:
            finished = (key for key, entry in self._entries.items() if not _is_live(entry, terms))
            oldest = next(finished, None)
            if oldest is None:
                return
            del self._entries[oldest]


def _is_live(entry: Entry, terms: Terms) -> bool:
    return isinstance(ledger.found(entry, terms), Running)
