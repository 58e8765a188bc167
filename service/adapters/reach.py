"""Is the endpoint's host there? Asked without a paid call."""

import httpx


class EndpointUnreachable(Exception):  # noqa: N818 - a finding of `check`, not a defect
    """Nothing answers at the base URL; the message says why and what to check."""


async def reach(base_url: str, timeout: float) -> int:  # noqa: ASYNC109 - handed to the client
    """GET the base URL and return the HTTP status. Any status will do: something that speaks HTTP is there.

    Raises:
        EndpointUnreachable: no HTTP answer within `timeout` seconds.
    """
    try:
        async with httpx.AsyncClient(timeout=timeout) as client:
            return (await client.get(base_url)).status_code
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        said = str(error) or type(error).__name__
        raise EndpointUnreachable(f"no answer ({said}); check VIDEOGEN_ENDPOINT__BASE_URL and the network") from error
