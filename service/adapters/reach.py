"""Is the endpoint's host there? Asked without a paid call."""

import httpx

from service.adapters.http_client import endpoint_url, new_client, tls_context
from service.settings import EndpointSettings


class EndpointUnreachable(Exception):  # noqa: N818 - a finding of `check`, not a defect
    """Nothing answers at the base URL; the message says why and what to check."""


async def reach(endpoint: EndpointSettings) -> int:
    """GET the base URL and return the HTTP status. Any status will do: something that speaks HTTP is there.

    Raises:
        EndpointUnreachable: no HTTP answer; each step may take as long as a connection may.
        EndpointConfigurationError: the call cannot even be tried.
    """
    url = endpoint_url(endpoint.base_url)
    try:
        async with new_client(tls_context(endpoint.ca_file), httpx.Timeout(endpoint.connect_timeout)) as client:
            return (await client.get(url)).status_code
    except httpx.HTTPError as error:
        said = str(error) or type(error).__name__
        raise EndpointUnreachable(f"no answer ({said}); check VIDEOGEN_ENDPOINT__BASE_URL and the network") from error
