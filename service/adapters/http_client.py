"""Where the endpoint is and whom to trust there, and what of that cannot be used.

`SSL_CERT_FILE` and `SSL_CERT_DIR` count as they do for other programs.
"""

import ssl
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
