"""TLS before the simulated endpoint, as a gateway ends it."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from tests.deploy.tls.sockets import listening, relay


@dataclass(slots=True)
class Front:
    """`let_in` counts the connections whose handshake succeeded."""

    port: int = 0
    let_in: int = 0

    def url(self, host: str = "localhost") -> str:
        return f"https://{host}:{self.port}"


@asynccontextmanager
async def tls_front(base_url: str, context: ssl.SSLContext) -> AsyncIterator[Front]:
    """Pass what comes over TLS to the plain server at `base_url`."""
    target, front = urlsplit(base_url), Front()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        front.let_in += 1
        await relay((reader, writer), await asyncio.open_connection(target.hostname, target.port))

    async with listening(serve, context) as front.port:
        yield front


async def refuse_late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, context: ssl.SSLContext) -> bool:
    """Shake hands by hand; tell whether it succeeded. A refusal is sent, and nothing is cut before the client ends.

    With TLS 1.3 the client holds the handshake for done by then, and has sent its request.
    """
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_side=True)
    while True:
        try:
            tls.do_handshake()
        except ssl.SSLWantReadError:
            writer.write(outgoing.read())
            incoming.write(await reader.read(65536))
        except ssl.SSLError:
            writer.write(outgoing.read())
            while await reader.read(65536):
                pass
            return False
        else:
            return True
