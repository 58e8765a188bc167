"""A TCP server on 127.0.0.1 that follows a script, byte for byte: for answers that no honest HTTP server gives."""

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.support.fakes import Changes


@dataclass(frozen=True, slots=True)
class Post:
    """A request that arrived in full."""

    head: str
    body: bytes

    def header(self, name: str) -> str | None:
        values = self.headers(name)
        return values[0] if values else None

    def headers(self, name: str) -> list[str]:
        pairs = (line.partition(":") for line in self.head.split("\r\n")[1:])
        return [value.strip() for key, _, value in pairs if key.lower() == name.lower()]


@dataclass
class Peer:
    """One connection, seen from the server."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    server: "RawServer"

    async def read_post(self) -> Post:
        """Read one request in full; EOFError once the client has gone."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        length = Post(head, b"").header("content-length")
        post = Post(head, await self.reader.readexactly(int(length or 0)))
        self.server.posts.append(post)
        self.server.changes.happened()
        return post

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    def reset(self) -> None:
        """Close with RST: whatever is on its way is lost."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def gone(self) -> None:
        """Wait until the client closes."""
        while await self.reader.read(65536):
            pass


Script = Callable[[Peer], Awaitable[None]]


@dataclass
class RawServer:
    """What the server has seen. `connections` counts all there were, `open` those there are."""

    port: int = 0
    posts: list[Post] = field(default_factory=list)
    connections: int = 0
    open: int = 0
    changes: Changes = field(default_factory=Changes)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def wait_posts(self, count: int) -> None:
        await self.changes.until(lambda: len(self.posts) >= count)

    async def wait_open(self, count: int) -> None:
        await self.changes.until(lambda: self.open == count)


@asynccontextmanager
async def raw_server(script: Script, tls: ssl.SSLContext | None = None) -> AsyncIterator[RawServer]:
    """Serve every connection with `script`; when it returns, the connection is closed."""
    seen = RawServer()
    running: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.connections += 1
        seen.open += 1
        seen.changes.happened()
        try:
            await script(Peer(reader, writer, seen))
        except (EOFError, OSError):
            pass
        finally:
            writer.close()
            seen.open -= 1
            seen.changes.happened()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(serve(reader, writer))
        running.add(task)
        task.add_done_callback(running.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls)
    seen.port = server.sockets[0].getsockname()[1]
    try:
        yield seen
    finally:
        server.close()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def answer(status: str, body: bytes, *headers: str, length: int | None = None) -> bytes:
    """Write a response; `length` lies about that of its body."""
    lines = [f"HTTP/1.1 {status}", "Content-Type: application/json", *headers]
    lines.append(f"Content-Length: {len(body) if length is None else length}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def answering(*answers: bytes) -> Script:
    """Answer the requests of a connection in turn, then close it."""

    async def script(peer: Peer) -> None:
        for data in answers:
            await peer.read_post()
            await peer.send(data)

    return script
