"""Connections to Redis, over TLS with certificate files that are read anew for each."""

import ssl
from typing import Any

from redis.asyncio import BlockingConnectionPool
from redis.asyncio.connection import RedisSSLContext, SSLConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from service.adapters.certificates import CertificateError, CertificateFiles
from service.adapters.ledger.errors import LedgerConfigurationError

CONNECTIONS = 16


def connection_pool(url: str, certificates: CertificateFiles, patience: float) -> BlockingConnectionPool:
    """Make a pool; nothing connects before the first command. `patience` is in seconds, for each step.

    Raises:
        LedgerConfigurationError: a certificate file cannot be used.
    """
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=CONNECTIONS,
        timeout=patience,
        socket_timeout=patience,
        socket_connect_timeout=patience,
        protocol=2,
        # The client would send a command again whose answer was lost.
        retry=Retry(NoBackoff(), 0),
    )
    if _usable(certificates):
        pool.connection_class = _SecureConnection
        pool.connection_kwargs["certificates"] = certificates
    return pool


def _usable(certificates: CertificateFiles) -> bool:
    """Tell whether there are any, and that they can be used now."""
    try:
        return certificates.context() is not None
    except CertificateError as error:
        raise LedgerConfigurationError(str(error)) from error


class _SecureConnection(SSLConnection):
    def __init__(self, *, certificates: CertificateFiles, **options: Any) -> None:  # noqa: ANN401 - the library's own
        super().__init__(**options)
        self.ssl_context = _Fresh(certificates)


class _Fresh(RedisSSLContext):
    """The library keeps its context for as long as the connection object lives, over every reconnect."""

    def __init__(self, certificates: CertificateFiles) -> None:
        super().__init__()
        self._certificates = certificates

    def get(self) -> ssl.SSLContext:  # type: ignore[explicit-override] # `typing.override` came with Python 3.12
        return self._certificates.context() or super().get()
