"""HTTP clients towards the endpoint, and what of their configuration cannot be used.

`HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`, `SSL_CERT_FILE` and `SSL_CERT_DIR` count as they do for other
programs.
"""

import ssl
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path

import httpx


class EndpointConfigurationError(Exception):
    """No call to the endpoint can be made. The message names what to set, and holds no secret."""


def endpoint_url(base_url: str, path: str = "") -> httpx.URL:
    """Read a URL the way the client will.

    Raises:
        EndpointConfigurationError: the client cannot read it, although `settings` could.
    """
    try:
        return httpx.URL(base_url + path)
    except httpx.InvalidURL as error:
        raise EndpointConfigurationError(
            f"VIDEOGEN_ENDPOINT__BASE_URL={base_url!r} cannot be called ({error}); set it to https://HOST"
        ) from error


def server_of(url: httpx.URL) -> tuple[str, int]:
    """Tell host and port of a URL, as the transport names them."""
    return url.raw_host.decode("ascii"), url.port or (443 if url.scheme == "https" else 80)


def tls_context(ca_file: Path | None) -> ssl.SSLContext:
    """Trust the authorities in `ca_file` (PEM) alone; without it, those of the environment or the built-in ones.

    Raises:
        EndpointConfigurationError: the file is unreadable or no PEM.
    """
    try:
        return ssl.create_default_context(cafile=ca_file) if ca_file else httpx.create_ssl_context()
    except OSError as error:
        culprit = f"VIDEOGEN_ENDPOINT__CA_FILE={str(ca_file)!r}" if ca_file else "SSL_CERT_FILE"
        raise EndpointConfigurationError(
            f"{culprit} cannot be used ({error.strerror or 'no PEM'}); name a PEM file of authorities, or unset it"
        ) from error


def new_client(
    tls: ssl.SSLContext,
    timeout: httpx.Timeout,
    headers: dict[str, str] | None = None,
) -> httpx.AsyncClient:
    """Make a client with one connection, which stays open until the client is closed.

    Raises:
        EndpointConfigurationError: a proxy that the environment names cannot be used.
    """
    try:
        return httpx.AsyncClient(
            headers=headers,
            timeout=timeout,
            limits=httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=None),
            verify=tls,
            follow_redirects=False,
            # Each call stands alone: no cookie of one answer travels with the next request.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        )
    except ImportError as error:
        raise EndpointConfigurationError(
            "the environment names a SOCKS proxy, which needs the package httpx[socks]; install it, or set "
            "HTTPS_PROXY, HTTP_PROXY or ALL_PROXY to http://HOST:PORT"
        ) from error
    except (ValueError, httpx.InvalidURL) as error:
        # The library's message may quote the proxy's password.
        raise EndpointConfigurationError(
            "HTTPS_PROXY, HTTP_PROXY or ALL_PROXY in the environment names no proxy that can be used; "
            "set it to http://HOST:PORT, or unset it"
        ) from error
