"""Calls of the endpoint client against a scripted server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pydantic import SecretStr

from service.adapters.endpoint import EndpointOptions, HttpxEndpoint
from service.core.call import Call, CallResult
from service.core.contract import VideoRequest
from tests.support.fakes import FakeClock
from tests.support.raw_server import Peer, RawServer, Script, answer, raw_server

KEY = "sk-very-secret-key"
REQUEST = VideoRequest(prompt="a cat", model="wan2.2-t2v-plus", size=(832, 480), watermark=False)
CALL = Call("request-1", REQUEST, {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"})
ACCEPTED = answer("200 OK", b'{"task_id": "task-1"}')


def options(base_url: str, **changes: object) -> EndpointOptions:
    defaults: dict[str, object] = {"timeout": 10.0, "connect_timeout": 5.0, "trust_env": False}
    return EndpointOptions(base_url, SecretStr(KEY), **(defaults | changes))  # type: ignore[arg-type]  # a test's shorthand


@asynccontextmanager
async def serving(script: Script, **changes: object) -> AsyncIterator[tuple[RawServer, HttpxEndpoint]]:
    async with (
        raw_server(script) as server,
        HttpxEndpoint(options(server.url, **changes), FakeClock()) as endpoint,
    ):
        yield server, endpoint


async def submitted(base_url: str, **changes: object) -> CallResult:
    async with HttpxEndpoint(options(base_url, **changes), FakeClock()) as endpoint:
        return await endpoint.submit(CALL)


async def outcome_of(script: Script, **changes: object) -> tuple[CallResult, int]:
    """Make one call; give its result and how many POSTs the server saw."""
    async with serving(script, **changes) as (server, endpoint):
        result = await endpoint.submit(CALL)
        return result, len(server.posts)


async def hold(peer: Peer) -> None:
    """Read a request and never answer."""
    await peer.read_post()
    await peer.gone()
