"""Asks the endpoint for a task, over connections that no paid call uses."""

import asyncio
from contextlib import AsyncExitStack
from typing import Self
from urllib.parse import quote

import httpx

from service.adapters.api_key import KeySource
from service.adapters.bounded_body import read_body
from service.adapters.endpoint import without_keys
from service.adapters.http_client import endpoint_url, tls_context
from service.adapters.http_transport import PHASE, AiohttpTransport
from service.adapters.proxy import proxy_for
from service.adapters.send_phase import SendPhase
from service.core.ports import Clock
from service.core.task_query import HeldOff, HeldOffReason, QueryResult, read_query_answer
from service.settings import ENDPOINT_PATH, EndpointSettings

_HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "videogen-worker"}


class HttpxTaskQuery:
    """Keeps port `TaskQuery`. `settings.timeout` is for the whole query.

    Raises:
        EndpointConfigurationError: base URL or CA file, or the proxy that the environment names, cannot be used.
    """

    def __init__(self, settings: EndpointSettings, clock: Clock, key: KeySource | None = None) -> None:
        self._settings = settings
        self._clock = clock
        self._key = key or KeySource(settings)
        self._tls = tls_context(settings.ca_file)
        self._proxy = proxy_for(endpoint_url(settings.base_url, ENDPOINT_PATH))
        self._open = AsyncExitStack()
        self._transport: httpx.AsyncBaseTransport | None = None

    async def __aenter__(self) -> Self:
        """Get ready to connect."""
        transport = AiohttpTransport(self._tls, self._settings.connect_timeout, self._settings.keepalive, self._proxy)
        self._transport = await self._open.enter_async_context(transport)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close all connections."""
        await self._open.aclose()

    async def ask(self, task_id: str) -> QueryResult:
        """Ask once. Every failure comes back as a value; only cancellation is raised."""
        key = self._key.current()
        try:
            async with asyncio.timeout(self._settings.timeout):
                status, headers, body = await self._exchange(task_id, key)
        except Exception:  # noqa: BLE001 - a query costs nothing: whatever failed is asked again later
            return HeldOff(HeldOffReason.UNANSWERED)
        # A reason goes to the producer. A key before this one stays secret too.
        said = without_keys((*self._key.earlier, key), body)
        return read_query_answer(status, headers, said, self._clock.now(), task_id=task_id, secret=key)

    async def _exchange(self, task_id: str, key: str) -> tuple[int, httpx.Headers, bytes | None]:
        # One endpoint's own example has a colon in it.
        url = endpoint_url(self._settings.base_url, f"{ENDPOINT_PATH}/{quote(task_id, safe=':')}")
        headers = {**_HEADERS, "Authorization": f"Bearer {key}"}
        request = httpx.Request("GET", url, headers=headers, extensions={PHASE: SendPhase()})
        assert self._transport is not None  # inside the context
        response = await self._transport.handle_async_request(request)
        try:
            return response.status_code, response.headers, await read_body(response, self._settings.response_limit)
        finally:
            await response.aclose()
