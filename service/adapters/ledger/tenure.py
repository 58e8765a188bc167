"""Who a ledger adapter acts for, and how long what it writes holds."""

from dataclasses import dataclass
from datetime import timedelta

from service.core.ledger import Terms
from service.core.ports import Clock


@dataclass(frozen=True, slots=True)
class Tenure:
    """One run of a worker. `holder` is its id; no two runs share one."""

    holder: str
    lease: timedelta
    retention: timedelta
    clock: Clock

    def terms(self) -> Terms:
        """Fix the terms of an operation that happens now."""
        return Terms(self.holder, self.clock.now(), self.lease, self.retention)
