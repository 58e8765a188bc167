"""Is the endpoint's host there? Asked without a paid call."""

import ssl

import httpx

from service.adapters.http_client import endpoint_url, new_client, server_of, tls_context
from service.adapters.send_phase import SendPhase
from service.adapters.unreached import PROXY_LOGIN_REQUIRED, proxy_refusal, unreached
from service.settings import EndpointSettings


class EndpointUnreachable(Exception):  # noqa: N818 - a finding of `check`, not a defect
    """Nothing answers at the base URL; the message says why and what to check."""


async def reach(endpoint: EndpointSettings) -> int:
    """GET the base URL and return the HTTP status. Any will do but a proxy's own: something that speaks HTTP is there.

    Raises:
        EndpointUnreachable: no HTTP answer; each step may take as long as a connection may.
        EndpointConfigurationError: the call cannot even be tried.
    """
    url = endpoint_url(endpoint.base_url)
    sent = SendPhase()
    sent.handed_over()
    try:
        async with new_client(tls_context(endpoint.ca_file), httpx.Timeout(endpoint.connect_timeout)) as client:
            status = (await client.get(url, extensions={"trace": sent.observe})).status_code
    # An alert of TLS that comes late is raised bare.
    except (httpx.HTTPError, ssl.SSLError) as error:
        proxy = sent.detour(*server_of(url))
        said = str(error) or type(error).__name__
        raise EndpointUnreachable(
            unreached(error, sent.phase, proxy)
            or f"no answer ({said}); check VIDEOGEN_ENDPOINT__BASE_URL and the network"
        ) from error
    if status == PROXY_LOGIN_REQUIRED:
        raise EndpointUnreachable(proxy_refusal(f"the proxy {sent.detour(*server_of(url))}", str(status)))
    return status
