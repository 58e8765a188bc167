"""Keeps the gate closed for as long as the ledger takes no records."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NoReturn

from service.core.facts import PauseReason
from service.core.gate import Gate
from service.core.ledger import LedgerUnavailable
from service.core.ports import Ledger

_INTERVAL = 1.0
"""Seconds from a closing, or a look in vain, to the next look."""


async def watch_ledger(
    ledger: Ledger, gate: Gate, settle_debts: Callable[[], Awaitable[None]], interval: float = _INTERVAL
) -> NoReturn:
    """Open the gate when the ledger is there and knows all that is owed to it.

    Looks at once, and `interval` seconds after each closing.
    """
    while True:
        try:
            await ledger.ping()
            await settle_debts()
        except LedgerUnavailable as unavailable:
            gate.close(PauseReason.LEDGER, str(unavailable))
        else:
            gate.open(PauseReason.LEDGER)
            while PauseReason.LEDGER not in gate.closed:
                await gate.change()
        # After a closing too: a ledger that takes pings and refuses claims must not make the gate flutter.
        await asyncio.sleep(interval)
