"""The paid endpoint over HTTP: one call, sent once, and what it came to."""

import asyncio
import json
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import lru_cache
from typing import Self
from urllib.parse import quote

import httpx

from service.adapters.api_key import KeySource
from service.adapters.bounded_body import read_body
from service.adapters.call_failure import failed_call
from service.adapters.http_client import endpoint_url, tls_context
from service.adapters.http_transport import PHASE, AiohttpTransport
from service.adapters.proxy import proxy_for
from service.adapters.send_phase import Phase, SendPhase
from service.core.call import Call, CallResult
from service.core.classification import classify
from service.core.ports import Clock
from service.settings import ENDPOINT_PATH, EndpointSettings

# RFC 9110 section 5.6.2, token characters beside letters and digits; "%" is left out, because it escapes.
_SAFE = "!#$&'*+-.^_`|~"
_HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "identity",
    "Content-Type": "application/json",
    "User-Agent": "videogen-worker",
}


@dataclass(slots=True)
class _Arrived:
    """What has come back so far. Once there is a status line, it decides, however the rest fails."""

    response: httpx.Response | None = None
    body: bytes | None = None


class HttpxEndpoint:
    """Keeps port `Endpoint`. How many calls are under way at once is not decided here.

    `settings.timeout` is for the whole call: connecting, sending and reading. Connections stay open between calls until
    the context ends, or for `settings.keepalive`: a request that meets a connection which the server is closing ends
    as uncertain.

    Each call takes its key from `key`; without one, from a source of its own, which no log line masks by itself.
    `tell_status` hears the HTTP status of each answer, in the task of its call.

    Raises:
        EndpointConfigurationError: base URL or CA file, or the proxy that the environment names, cannot be used.
    """

    def __init__(
        self,
        settings: EndpointSettings,
        clock: Clock,
        key: KeySource | None = None,
        tell_status: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._url = endpoint_url(settings.base_url, ENDPOINT_PATH)
        self._headers = {"Host": self._url.netloc.decode("ascii"), **_HEADERS}
        self._key = key or KeySource(settings)
        self._tell_status = tell_status
        self._tls = tls_context(settings.ca_file)
        self._proxy = proxy_for(self._url)
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

    async def submit(self, call: Call) -> CallResult:
        """Send one call, once. Every failure comes back as a value; only cancellation is raised."""
        key, sent, arrived = self._key.current(), SendPhase(), _Arrived()
        try:
            async with asyncio.timeout(self._settings.timeout):
                await self._exchange(call, key, sent, arrived)
        except Exception as error:  # noqa: BLE001 - whatever happens must become an answer to "was it sent?"
            if arrived.response is None:
                return failed_call(error, sent.phase, secret=key, proxy=self._proxy.name if self._proxy else None)
        response = arrived.response
        assert response is not None  # without an exception there is one
        self._tell_status(response.status_code)
        # `secret` is the key that this call sent. One before it can only be repeated by a server that kept it.
        body = without_keys((*self._key.earlier, key), arrived.body)
        return classify(response.status_code, response.headers, body, self._clock.now(), secret=key)

    async def _exchange(self, call: Call, key: str, sent: SendPhase, arrived: _Arrived) -> None:
        body = json.dumps(call.request.payload(self._settings.size_separator)).encode()
        request = httpx.Request(
            "POST",
            self._url,
            # With every header named, as a stream: finding out which are missing is most of what httpx does here.
            stream=httpx.ByteStream(body),
            headers={
                **self._headers,
                **call.trace,
                "Content-Length": str(len(body)),
                "Authorization": f"Bearer {key}",
                "Idempotency-Key": idempotency_key(call.request_id),
            },
            extensions={PHASE: sent},
        )
        request.read()
        assert self._transport is not None  # inside the context
        # Straight to the transport: what a client adds (redirects, cookies, authentication) would all be switched off.
        sent.reached(Phase.HANDED_OVER)
        response = await self._transport.handle_async_request(request)
        try:
            arrived.response = response
            arrived.body = await read_body(response, self._settings.response_limit)
        finally:
            await response.aclose()


def without_keys(keys: Iterable[str], body: bytes | None) -> bytes | None:
    """Blot out keys that a body repeats, plain or percent-encoded."""
    for key in keys if body else ():
        for written in _written(key):
            body = body and body.replace(written, b"[redacted]")
    return body


@lru_cache
def _written(key: str) -> tuple[bytes, bytes]:
    return key.encode(), quote(key, safe="").encode()


def idempotency_key(request_id: str) -> str:
    """Percent-encode a request id, which may be any text, into one header token."""
    return quote(request_id, safe=_SAFE, errors="surrogatepass")
