"""How the bare loop calls the endpoint: over the worker's own transport, handed the request in the worker's way."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx

from service.adapters.http_client import tls_context
from service.adapters.http_transport import PHASE, AiohttpTransport
from service.adapters.send_phase import SendPhase

Post = Callable[[bytes, str], Awaitable[bytes]]
"""Sends one body under one request id and gives back the body of the answer."""


@asynccontextmanager
async def transport(url: str) -> AsyncIterator[Post]:
    """Keep connections open between calls."""
    target = httpx.URL(url)
    headers = {"Authorization": "Bearer bare", "Content-Type": "application/json"}
    async with AiohttpTransport(tls_context(None), connect_timeout=5.0, keepalive=4.0, proxy=None) as transport:

        async def post(body: bytes, request_id: str) -> bytes:
            request = httpx.Request(
                "POST",
                target,
                content=body,
                headers={**headers, "Idempotency-Key": request_id},
                extensions={PHASE: SendPhase()},
            )
            response = await transport.handle_async_request(request)
            try:
                if response.is_error:
                    raise RuntimeError(f"the endpoint answered {response.status_code}")
                return await response.aread()
            finally:
                await response.aclose()

        yield post
