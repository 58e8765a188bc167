"""Is the endpoint's host there? Asked without a paid call."""

import asyncio

import httpx

from service.adapters.http_client import endpoint_url, tls_context
from service.adapters.http_transport import PHASE, AiohttpTransport
from service.adapters.proxy import proxy_for
from service.adapters.send_phase import SendPhase
from service.adapters.unreached import PROXY_LOGIN_REQUIRED, proxy_refusal, unreached
from service.settings import EndpointSettings


class EndpointUnreachable(Exception):  # noqa: N818 - a finding of `check`, not a defect
    """Nothing answers at the base URL; the message says why and what to check."""


async def reach(endpoint: EndpointSettings) -> int:
    """GET the base URL and return the HTTP status. Any will do but a proxy's own: something that speaks HTTP is there.

    Raises:
        EndpointUnreachable: no HTTP answer within twice the time that a connection may take.
        EndpointConfigurationError: the call cannot even be tried.
    """
    url = endpoint_url(endpoint.base_url)
    through = proxy_for(url)
    proxy = through.name if through else None
    # The second try of the library is what hears why the first was cut.
    sent = SendPhase(once=False)
    request = httpx.Request("GET", url, extensions={PHASE: sent})
    transport = AiohttpTransport(tls_context(endpoint.ca_file), endpoint.connect_timeout, 0, through)
    try:
        async with transport, asyncio.timeout(2 * endpoint.connect_timeout):
            status = (await transport.handle_async_request(request)).status_code
    except (httpx.HTTPError, TimeoutError) as error:
        said = str(error) or ("nothing within the time" if isinstance(error, TimeoutError) else type(error).__name__)
        raise EndpointUnreachable(
            unreached(error, sent.phase, proxy)
            or f"no answer ({said}); check VIDEOGEN_ENDPOINT__BASE_URL and the network"
        ) from error
    if status == PROXY_LOGIN_REQUIRED:
        raise EndpointUnreachable(proxy_refusal(f"the proxy {proxy}", str(status)))
    return status
