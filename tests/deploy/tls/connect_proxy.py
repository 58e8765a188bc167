"""A proxy for HTTP: tunnels by CONNECT, with a login where it asks for one, and the refusals of real ones."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.deploy.tls.sockets import listening, relay


@dataclass(slots=True)
class ConnectProxy:
    """`asked` lists what was asked for. `login` is USER:PASSWORD, in the clear; `refusal` a status for everybody.

    `breaks_off`: it closes the connection in place of an answer; `silent`: it gives none.
    """

    login: str | None = None
    refusal: str | None = None
    breaks_off: bool = False
    silent: bool = False
    port: int = 0
    asked: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        target = head.split()[1]
        self.asked.append(target)
        if self.silent:
            await reader.read()
        if self.silent or self.breaks_off:
            return
        status = self._verdict(head)
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())
        await writer.drain()
        if status.startswith("200"):
            host, _, port = target.rpartition(":")
            await relay((reader, writer), await asyncio.open_connection(host, int(port)))

    def _verdict(self, head: str) -> str:
        if self.refusal is not None:
            return self.refusal
        if self.login is not None and f"Basic {b64encode(self.login.encode()).decode()}\r\n" not in head:
            return "407 Proxy Authentication Required"
        return "200 Connection established" if head.startswith("CONNECT ") else "405 Method Not Allowed"


@asynccontextmanager
async def connect_proxy(proxy: ConnectProxy) -> AsyncIterator[ConnectProxy]:
    """Let it listen on loopback."""
    async with listening(proxy.serve) as proxy.port:
        yield proxy
