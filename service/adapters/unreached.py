"""Why no answer came from the endpoint, or from the proxy before it, and what to check."""

import socket
import ssl
from collections.abc import Iterator

import httpx

from service.adapters.send_phase import Phase
from service.adapters.tls_failure import TlsServer, tls_failure

PROXY_SETTINGS = "HTTPS_PROXY, HTTP_PROXY or ALL_PROXY"
"""The variables that may have named the proxy; which one it was, the client does not tell."""

PROXY_LOGIN_REQUIRED = 407

_ENDPOINT = TlsServer(
    name="the endpoint",
    address="VIDEOGEN_ENDPOINT__BASE_URL",
    schemes="http:// or https://",
    authority="VIDEOGEN_ENDPOINT__CA_FILE",
)
_LATE = (TimeoutError, httpx.TimeoutException)


def unreached(error: BaseException, phase: Phase, proxy: str | None) -> str | None:
    """Say in one line why a request found nobody; None where the error itself says all there is. Holds no secret.

    Args:
        error: what httpx raised, or `TimeoutError` for the limit of the whole call.
        phase: how far the request had got.
        proxy: host and port that were connected to, where they are not the endpoint's.
    """
    place, setting = (f"the proxy {proxy}", PROXY_SETTINGS) if proxy else (_ENDPOINT.name, _ENDPOINT.address)
    tls = next((cause for cause in causes(error) if isinstance(cause, ssl.SSLError)), None)
    if tls is not None:
        return tls_failure(tls, _ENDPOINT) + (f" (through {place})" if proxy else "")
    if phase not in {Phase.CONNECTING, Phase.TUNNELLING, Phase.SECURING}:
        return None
    if isinstance(error, httpx.ProxyError):
        return proxy_refusal(place, str(error)[:3])
    if isinstance(error, _LATE):
        return f"{place} did not let us connect in time: check {setting}, and firewalls between"
    for cause in causes(error):
        if isinstance(cause, socket.gaierror):
            return f"the host name of {place} cannot be looked up ({cause.strerror}): check {setting}, and the DNS"
        if isinstance(cause, ConnectionRefusedError):
            return f"nothing listens at {place}: check {setting}, and that it is running"
    if phase is Phase.TUNNELLING:
        return f"{place} broke off when it was asked for a tunnel to the endpoint: check {setting}, and its log"
    return None


def proxy_refusal(place: str, status: str) -> str:
    """Say what to do about a proxy's own answer."""
    if status == str(PROXY_LOGIN_REQUIRED):
        return (
            f"{place} refuses our login, or asks for one (HTTP {status}): "
            f"set {PROXY_SETTINGS} to http://USER:PASSWORD@HOST:PORT"
        )
    return (
        f"{place} refuses a tunnel to the endpoint (HTTP {status}): have it allow the host and port of "
        f"{_ENDPOINT.address}, or name the host in NO_PROXY"
    )


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and what led to it, members of groups included."""
    # httpcore re-raises "from None", which hides the cause but keeps the context.
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            yield from error.exceptions
        error = error.__cause__ or error.__context__
