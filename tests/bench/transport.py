"""How the bare loops call the endpoint: over the worker's own transport."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import httpx

from service.adapters.http_client import tls_context
from service.adapters.http_transport import PHASE, AiohttpTransport
from service.adapters.send_phase import SendPhase

Post = Callable[[bytes, str], Awaitable[bytes]]
"""Sends one body under one request id and gives back the body of the answer."""
Transport = Callable[[str], AbstractAsyncContextManager[Post]]

_HEADERS = {"Authorization": "Bearer bare", "Content-Type": "application/json"}


@asynccontextmanager
async def client(url: str) -> AsyncIterator[Post]:
    """Call with a client of httpx, as programs do."""
    async with httpx.AsyncClient(transport=_worker_s_own(), headers=_HEADERS) as calling:

        async def post(body: bytes, request_id: str) -> bytes:
            response = await calling.post(
                url, content=body, headers={"Idempotency-Key": request_id}, extensions={PHASE: SendPhase()}
            )
            return response.raise_for_status().content

        yield post


@asynccontextmanager
async def straight(url: str) -> AsyncIterator[Post]:
    """Hand each request straight to the transport, as the worker does."""
    target = httpx.URL(url)
    async with _worker_s_own() as transport:

        async def post(body: bytes, request_id: str) -> bytes:
            request = httpx.Request(
                "POST",
                target,
                content=body,
                headers={**_HEADERS, "Idempotency-Key": request_id},
                extensions={PHASE: SendPhase()},
            )
            response = await transport.handle_async_request(request)
            return (await response.aread()) if response.is_success else b""

        yield post


def _worker_s_own() -> AiohttpTransport:
    return AiohttpTransport(tls_context(None), connect_timeout=5.0, keepalive=4.0, proxy=None)
