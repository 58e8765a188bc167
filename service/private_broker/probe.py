"""Whether an AMQP address answers."""

import asyncio
from urllib.parse import urlsplit

import aio_pika
from aio_pika.exceptions import AMQPError

LOGIN_LIMIT = 5.0
POLL_INTERVAL = 0.1


class NoAnswerError(Exception):
    """Nobody let us in at this address; the message is the reason."""


async def server_version(url: str) -> str:
    """Log in and read the version that the server tells.

    Raises:
        NoAnswerError: refused, silent for 5 s, or no AMQP 0-9-1 server.
    """
    try:
        connection = await aio_pika.connect(url, timeout=LOGIN_LIMIT)
    except (AMQPError, OSError, TimeoutError, ValueError) as error:
        raise NoAnswerError(str(error) or type(error).__name__) from error
    async with connection:
        if connection.transport is None:
            raise NoAnswerError("the connection was closed at once")
        properties = connection.transport.connection.server_properties
        return str(properties.get("version", "unknown"))


async def wait_for_version(url: str, limit: float) -> str:
    """Wait, for at most `limit` seconds, until a server that is being started lets us in.

    Raises:
        NoAnswerError: it did not.
    """
    try:
        async with asyncio.timeout(limit):
            while True:
                # The client library logs every refusal; a plain greeting asks silently.
                if await _greets(url):
                    return await server_version(url)
                await asyncio.sleep(POLL_INTERVAL)
    except TimeoutError:
        raise NoAnswerError(f"no AMQP answer within {limit:.0f} s") from None


async def _greets(url: str) -> bool:
    address = urlsplit(url)
    try:
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
    except OSError:
        return False
    try:
        writer.write(b"AMQP\x00\x00\x09\x01")
        # The first octet of Connection.Start: a method frame.
        return await reader.read(1) == b"\x01"
    except OSError:
        return False
    finally:
        writer.close()
