"""Why no answer came from the endpoint, or from the proxy before it, and what to check."""

import socket
import ssl
from collections.abc import Iterator

import httpx

from service.adapters.refused import is_refused
from service.adapters.send_phase import Phase
from service.adapters.tls_failure import TlsServer, cut_handshake, tls_failure

PROXY_SETTINGS = "HTTPS_PROXY, HTTP_PROXY or ALL_PROXY"
"""The variables that may have named the proxy; which one it was, the client does not tell."""

PROXY_LOGIN_REQUIRED = 407

_ENDPOINT = TlsServer(
    name="the endpoint",
    address="VIDEOGEN_ENDPOINT__BASE_URL",
    schemes="http:// or https://",
    authority="VIDEOGEN_ENDPOINT__CA_FILE",
)
CUT = (ConnectionResetError, ConnectionAbortedError)
"""A connection that stood, and was lost before it could be used: lost in the TLS handshake."""

_LATE = (TimeoutError, httpx.TimeoutException)


def unreached(error: BaseException, phase: Phase, proxy: str | None) -> str | None:
    """Say in one line why a request found nobody; None where the error itself says all there is. Holds no secret.

    Args:
        error: what httpx raised, or `TimeoutError` for the limit of the whole call.
        phase: how far the request had got.
        proxy: host and port of the proxy on the way, if any.
    """
    place, setting = (f"the proxy {proxy}", PROXY_SETTINGS) if proxy else (_ENDPOINT.name, _ENDPOINT.address)
    detour = f" (through {place})" if proxy else ""
    tls = next((cause for cause in causes(error) if isinstance(cause, ssl.SSLError)), None)
    if tls is not None:
        return tls_failure(tls, _ENDPOINT) + detour
    if phase is not Phase.CONNECTING:
        return None
    if isinstance(error, httpx.ProxyError):
        return proxy_refusal(place, str(error)[:3])
    if isinstance(error, _LATE):
        return f"{place} did not let us connect in time: check {setting}, and firewalls between"
    for cause in causes(error):
        if isinstance(cause, socket.gaierror):
            return f"the host name of {place} cannot be looked up ({cause.strerror}): check {setting}, and the DNS"
        if is_refused(cause):
            return f"nothing listens at {place}: check {setting}, and that it is running"
        if isinstance(error, httpx.ConnectError) and isinstance(cause, CUT):
            return cut_handshake(_ENDPOINT) + detour
    if proxy:
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
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            yield from error.exceptions
        error = error.__cause__ or error.__context__
