"""The one way to connect to the broker."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import aio_pika
from aio_pika.abc import AbstractConnection
from pydantic import SecretStr

from service.adapters.rabbitmq.connect_failure import connect_failure
from service.adapters.rabbitmq.droppable import DroppableConnection
from service.adapters.rabbitmq.errors import link_errors
from service.adapters.rabbitmq.tls import ssl_context
from service.settings import BrokerSettings

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
    ssl_context: ssl.SSLContext | None = None


def link_options_of(broker: BrokerSettings) -> LinkOptions:
    """Tell how to reach the broker.

    Raises:
        CertificateError: a certificate file cannot be used.
    """
    return LinkOptions(
        url=broker.url,
        heartbeat=round(broker.heartbeat),
        connect_timeout=broker.connect_timeout,
        reconnect_cap=broker.reconnect_cap,
        ssl_context=ssl_context(broker.ca_file, broker.cert_file, broker.key_file),
    )


@asynccontextmanager
async def open_connection(options: LinkOptions, name: str = "videogen-worker") -> AsyncIterator[AbstractConnection]:
    """Hold one connection, which the broker shows under `name`.

    Raises:
        LinkLost: the broker cannot be reached or refuses us; one sentence that tells what to check.
    """
    _LIBRARY_LOG.addFilter(_is_news)
    with link_errors(connect_failure):
        async with asyncio.timeout(options.connect_timeout):
            connection = await aio_pika.connect(
                options.url.get_secret_value(),
                heartbeat=options.heartbeat,
                ssl_context=options.ssl_context,
                client_properties={"connection_name": name},
                connection_class=DroppableConnection,
            )
    try:
        yield connection
    finally:
        await _close(connection)


async def _close(connection: DroppableConnection) -> None:
    closing = asyncio.ensure_future(connection.close())
    try:
        await asyncio.wait({closing}, timeout=_CLOSE_TIMEOUT)
    finally:
        # A frozen broker never answers the close, and a full socket does not even let it out.
        connection.drop()
    await asyncio.wait({closing}, timeout=_CLOSE_TIMEOUT)
    with suppress(asyncio.CancelledError, asyncio.InvalidStateError):
        # asyncio complains of an exception that nobody looked at.
        closing.exception()


def _is_news(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith(_TOLD_ELSEWHERE)
