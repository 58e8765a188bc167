"""The one way to connect to the broker."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from aio_pika.abc import AbstractConnection
from aio_pika.connection import make_url
from pydantic import SecretStr

from service.adapters.certificates import NO_FILES, CertificateError, CertificateFiles
from service.adapters.rabbitmq.connect_failure import Security, connect_failure
from service.adapters.rabbitmq.droppable import DroppableConnection
from service.adapters.rabbitmq.errors import LinkLost, link_errors

_CLOSE_TIMEOUT = 3.0

_LIBRARY_LOG = logging.getLogger("aiormq.connection")
# Whoever holds the connection gets the same as an exception, and tells it once.
_TOLD_ELSEWHERE = (
    "error when creating transport",
    "Unexpected connection close from remote",
    "Cancelling cause reader exited abnormally",
)


@dataclass(frozen=True, slots=True)
class LinkOptions:
    """How to reach the broker. All times are seconds; `reconnect_cap` bounds the wait between two tries."""

    url: SecretStr
    heartbeat: int
    connect_timeout: float
    reconnect_cap: float
    certificates: CertificateFiles = NO_FILES


@asynccontextmanager
async def open_connection(options: LinkOptions, name: str = "videogen-worker") -> AsyncIterator[AbstractConnection]:
    """Hold one connection, which the broker shows under `name`. Certificate files are read anew.

    Raises:
        LinkLost: the broker cannot be reached or refuses us; one sentence that tells what to check.
    """
    _LIBRARY_LOG.addFilter(_is_news)
    connection = _connection(options, name)
    with link_errors(lambda error: connect_failure(error, _security(options, connection), options.certificates.names)):
        async with asyncio.timeout(options.connect_timeout):
            await connection.connect()
    try:
        yield connection
    finally:
        await _close(connection)


def _connection(options: LinkOptions, name: str) -> DroppableConnection:
    try:
        context = options.certificates.context()
    except CertificateError as error:
        # They could be used at the start: whoever renews them may not be done yet.
        raise LinkLost(str(error)) from error
    return DroppableConnection(
        make_url(options.url.get_secret_value(), heartbeat=options.heartbeat),
        heartbeat=options.heartbeat,
        ssl_context=context,
        client_properties={"connection_name": name},
    )


def _security(options: LinkOptions, connection: DroppableConnection) -> Security:
    if connection.url.scheme != "amqps":
        return Security.NONE
    if not connection.opened:
        return Security.HANDSHAKE
    return Security.WITH_CERTIFICATE if options.certificates.certificate else Security.WITHOUT_CERTIFICATE


async def _close(connection: DroppableConnection) -> None:
    closing = asyncio.ensure_future(connection.close())
    try:
        await asyncio.wait({closing}, timeout=_CLOSE_TIMEOUT)
    finally:
        # A frozen broker never answers the close, and a full socket does not even let it out.
        connection.drop()
        # Also when cancelled: a close that is left behind was seen to hold up the end of the event loop for ever.
        await asyncio.wait({closing}, timeout=_CLOSE_TIMEOUT)
        with suppress(asyncio.CancelledError, asyncio.InvalidStateError):
            # asyncio complains of an exception that nobody looked at.
            closing.exception()


def _is_news(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith(_TOLD_ELSEWHERE)
