"""The proxy that the environment names for the endpoint.

`HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` count as they do for Python's own programs.
"""

from dataclasses import dataclass
from urllib.request import getproxies, proxy_bypass

import httpx
from yarl import URL

from service.adapters.http_client import EndpointConfigurationError


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy, with the login that it wants. `name` is safe to show."""

    url: URL

    @property
    def name(self) -> str:
        """Host and port."""
        return f"{self.url.raw_host}:{self.url.port}"


def proxy_for(url: httpx.URL) -> Proxy | None:
    """Tell through which proxy a URL is reached; None without one.

    Raises:
        EndpointConfigurationError: it cannot be used. The message does not hold its password.
    """
    proxies = getproxies()
    named = proxies.get(url.scheme) or proxies.get("all")
    if not named or proxy_bypass(f"{url.host}:{url.port}" if url.port else url.host):
        return None
    if named.partition("://")[0].startswith("socks"):
        raise EndpointConfigurationError(
            "the environment names a SOCKS proxy, which cannot be used; set HTTPS_PROXY, HTTP_PROXY or ALL_PROXY to "
            "http://HOST:PORT, or unset it"
        )
    proxy = _read(named)
    if proxy is None:
        raise EndpointConfigurationError(
            "HTTPS_PROXY, HTTP_PROXY or ALL_PROXY in the environment names no proxy that can be used; "
            "set it to http://HOST:PORT, or unset it"
        )
    return proxy


def _read(named: str) -> Proxy | None:
    try:
        url = URL(named if "://" in named else f"http://{named}")
    except ValueError:
        return None
    return Proxy(url) if url.scheme == "http" and url.raw_host and url.path in {"", "/"} else None
