"""Opens the ledger that the settings name."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Protocol

from service.adapters.certificates import CertificateFiles, FileNames
from service.adapters.ledger.sqlite import sqlite_ledger
from service.adapters.ledger.tenure import Tenure
from service.adapters.ledger.volatile import VolatileLedger
from service.core.ports import Clock, Ledger, PendingTasks
from service.settings.groups import LedgerSettings
from service.settings.value_types import NO_LEDGER, SQLITE_SCHEME


class OpenLedger(Ledger, Protocol):
    """A ledger with the tasks that are followed, which also tells what it would not survive."""

    @property
    def tasks(self) -> PendingTasks:
        """The tasks that are followed."""
        ...

    async def durability_warnings(self) -> tuple[str, ...]:
        """List what the operator should know of how records are kept, one sentence each. Raises nothing."""
        ...


def open_ledger(
    settings: LedgerSettings, *, holder: str, lease: timedelta, prefix: str, clock: Clock
) -> AbstractAsyncContextManager[OpenLedger]:
    """Open the ledger for one run of the worker.

    A Redis that is away, a full disk or a locked file is no failure here: the operations say so.

    Args:
        settings: where it is and how it keeps records.
        holder: the id of this run; no other run may use it.
        lease: how long a claim counts as a call under way; longer than any call.
        prefix: keeps apart the workers of different queues that share one ledger.
        clock: for leases and expiry; Redis uses its own.

    Raises:
        LedgerConfigurationError: on entering; the message says what to do.
    """
    tenure = Tenure(holder, lease, timedelta(seconds=settings.retention), clock)
    url = settings.url.get_secret_value()
    if url == NO_LEDGER:
        return _volatile(tenure)
    if not url.startswith(SQLITE_SCHEME):
        # A quarter of a second of the start, which most workers have no use for.
        from service.adapters.ledger.redis import redis_ledger  # noqa: PLC0415

        return redis_ledger(url, tenure, prefix=prefix, patience=settings.timeout, certificates=_certificates(settings))
    return sqlite_ledger(
        Path(url.removeprefix(SQLITE_SCHEME)),
        tenure,
        prefix=prefix,
        synchronous=settings.synchronous,
        patience=settings.timeout,
    )


@asynccontextmanager
async def _volatile(tenure: Tenure) -> AsyncIterator[VolatileLedger]:
    yield VolatileLedger(tenure)


def _certificates(ledger: LedgerSettings) -> CertificateFiles:
    return CertificateFiles(FileNames.of_settings("VIDEOGEN_LEDGER"), ledger.ca_file, ledger.cert_file, ledger.key_file)
