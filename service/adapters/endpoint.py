"""The paid endpoint over HTTP: one call, sent once, and what it came to."""

import asyncio
import json
import ssl
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from typing import Self
from urllib.parse import quote

import httpx
from pydantic import SecretStr

from service.adapters.bounded_body import read_body
from service.adapters.call_failure import failed_call
from service.adapters.client_pool import ClientPool
from service.adapters.send_phase import SendPhase
from service.core.call import Call, CallResult
from service.core.classification import classify
from service.core.ports import Clock

_PATH = "/v2/videos/generations"
# RFC 9110 section 5.6.2, token characters beside letters and digits; "%" is left out, because it escapes.
_SAFE = "!#$&'*+-.^_`|~"


@dataclass(frozen=True, slots=True)
class EndpointOptions:
    """How to reach the endpoint. Times are seconds.

    `timeout` is for the whole call: waiting for a connection, connecting, sending and reading. Idle connections
    are dropped after `keepalive_expiry`, before servers drop them (commonly after 5 s), because a request that
    meets a closing connection ends as uncertain. `response_limit` is bytes of body. `ca_file` (PEM) replaces the
    built-in authorities; `verify=False` trusts anybody. With `trust_env`, HTTPS_PROXY, HTTP_PROXY, ALL_PROXY,
    NO_PROXY and SSL_CERT_FILE count as they do for other programs.
    """

    base_url: str
    api_key: SecretStr
    timeout: float = 30.0
    connect_timeout: float = 5.0
    size_separator: str = "*"
    max_connections: int = 64
    keepalive_expiry: float = 4.0
    response_limit: int = 1024 * 1024
    ca_file: Path | None = None
    verify: bool = True
    trust_env: bool = True


@dataclass(slots=True)
class _Arrived:
    """What has come back so far. Once there is a status line, it decides, however the rest fails."""

    response: httpx.Response | None = None
    body: bytes | None = None


class HttpxEndpoint:
    """Keeps port `Endpoint`. Connections stay open between calls until the context ends.

    Raises:
        ValueError: base URL, API key or CA file cannot be used; the message tells what to set.
    """

    def __init__(self, options: EndpointOptions, clock: Clock) -> None:
        self._options = options
        self._clock = clock
        self._url = _url(options.base_url)
        self._secret = _bearer(options.api_key)
        self._tls = _tls_context(options)
        self._clients = ClientPool(self._build_client, options.max_connections, options.keepalive_expiry)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._clients.aclose()

    async def submit(self, call: Call) -> CallResult:
        """Send one call, once. Every failure comes back as a value; only cancellation is raised."""
        sent, arrived = SendPhase(), _Arrived()
        try:
            async with asyncio.timeout(self._options.timeout):
                await self._exchange(call, sent, arrived)
        except Exception as error:  # noqa: BLE001 - whatever happens must become an answer to "was it sent?"
            if arrived.response is None:
                return failed_call(error, sent.phase, secret=self._secret)
        finally:
            await sent.abandon()
        response = arrived.response
        assert response is not None  # without an exception there is one
        return classify(response.status_code, response.headers, arrived.body, self._clock.now(), secret=self._secret)

    async def _exchange(self, call: Call, sent: SendPhase, arrived: _Arrived) -> None:
        async with self._clients.client() as client:
            request = client.build_request(
                "POST",
                self._url,
                content=json.dumps(call.request.payload(self._options.size_separator)),
                headers={**call.trace, "Idempotency-Key": idempotency_key(call.request_id)},
                extensions={"trace": sent.observe},
            )
            sent.handed_over()
            response = await client.send(request, stream=True)
            try:
                arrived.response = response
                arrived.body = await read_body(response, self._options.response_limit)
            finally:
                await response.aclose()

    def _build_client(self) -> httpx.AsyncClient:
        options = self._options
        return httpx.AsyncClient(
            headers={
                "Authorization": f"Bearer {self._secret}",
                "Accept": "application/json",
                "Accept-Encoding": "identity",
                "Content-Type": "application/json",
                "User-Agent": "videogen-worker",
            },
            # The limit for the whole call stands in for read and write timeouts, which restart at every byte.
            timeout=httpx.Timeout(None, connect=options.connect_timeout),
            limits=httpx.Limits(
                max_connections=1, max_keepalive_connections=1, keepalive_expiry=options.keepalive_expiry
            ),
            verify=self._tls,
            trust_env=options.trust_env,
            follow_redirects=False,
            # Each call stands alone: no cookie of one answer travels with the next request.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        )


def idempotency_key(request_id: str) -> str:
    """Percent-encode a request id, which may be any text, into one header token."""
    return quote(request_id, safe=_SAFE, errors="surrogatepass")


def _url(base_url: str) -> httpx.URL:
    try:
        url = httpx.URL(base_url.rstrip("/") + _PATH)
    except httpx.InvalidURL as error:
        raise ValueError(f"VIDEOGEN_ENDPOINT__BASE_URL is no URL ({error}); set it to https://HOST") from None
    if url.scheme not in {"http", "https"} or not url.host:
        raise ValueError("VIDEOGEN_ENDPOINT__BASE_URL must be an http or https URL; set it to https://HOST")
    if url.userinfo or url.query or url.fragment:
        # A user name in the URL would take the place of the bearer token.
        raise ValueError("VIDEOGEN_ENDPOINT__BASE_URL must be scheme, host and path alone; drop the rest")
    return url


def _bearer(api_key: SecretStr) -> str:
    key = api_key.get_secret_value()
    if not key or not all("!" <= char <= "~" for char in key):
        raise ValueError(
            "VIDEOGEN_ENDPOINT__API_KEY is empty or has characters that a header cannot carry; "
            "set it to the key alone, without blanks or line breaks"
        )
    return key


def _tls_context(options: EndpointOptions) -> ssl.SSLContext:
    if options.ca_file is None:
        return httpx.create_ssl_context(verify=options.verify, trust_env=options.trust_env)
    try:
        return ssl.create_default_context(cafile=options.ca_file)
    except OSError as error:
        raise ValueError(f"the CA file {options.ca_file} cannot be used ({error}); name a PEM file") from None
