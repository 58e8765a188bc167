"""A worker's use of a SQLite ledger, as a process: `python -m tests.support.ledger_child WHAT PATH HOLDER`."""

import asyncio
import sys
from datetime import timedelta
from itertools import count

from pydantic import SecretStr

from service.adapters.ledger.opening import OpenLedger, open_ledger
from service.adapters.system import SystemClock
from service.core.ledger import Claimed, Permit, SubmittedRecord
from service.settings import LedgerSettings

REQUESTS = 200


async def promise_for_ever(ledger: OpenLedger) -> None:
    """Put one request after the other on record, and print its number once that is promised."""
    for number in count():
        await ledger.claim(str(number), 1, Permit())
        await ledger.record(str(number), SubmittedRecord(f"task-{number}", "m", 1, SystemClock().now()))
        print("promised", number, flush=True)  # noqa: T201 - what the parent reads


async def claim_all(ledger: OpenLedger) -> None:
    """Claim the same requests as everybody else, and print those that were granted."""
    print("ready", flush=True)  # noqa: T201 - what the parent reads
    await asyncio.to_thread(sys.stdin.readline)
    # Many transactions of one, so that those of several processes meet.
    claims = [await ledger.claim(str(number), 1, Permit()) for number in range(REQUESTS)]
    print(*(number for number, claim in enumerate(claims) if claim == Claimed()))  # noqa: T201 - what the parent reads


async def main(what: str, path: str, holder: str) -> None:
    settings = LedgerSettings(url=SecretStr(f"sqlite:///{path}"))
    opened = open_ledger(settings, holder=holder, lease=timedelta(hours=1), prefix="p", clock=SystemClock())
    async with opened as ledger:
        await (promise_for_ever(ledger) if what == "promise" else claim_all(ledger))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
