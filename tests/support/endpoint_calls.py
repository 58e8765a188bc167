"""Calls of the endpoint client against a scripted server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from service.adapters.endpoint import HttpxEndpoint
from service.core.call import Call, CallResult
from service.core.contract import VideoRequest
from service.settings import EndpointSettings
from tests.support.fakes import FakeClock
from tests.support.raw_server import Peer, RawServer, Script, answer, raw_server

KEY = "sk-very-secret-key"
REQUEST = VideoRequest(prompt="a cat", model="wan2.2-t2v-plus", size=(832, 480), watermark=False)
CALL = Call("request-1", REQUEST, {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"})
ACCEPTED = answer("200 OK", b'{"task_id": "task-1"}')


def settings(base_url: str, **changes: object) -> EndpointSettings:
    checked = EndpointSettings.model_validate({"base_url": base_url, "api_key": KEY, "timeout": 10.0})
    # Unchecked: some tests want a limit that nobody could work with.
    return checked.model_copy(update=changes)


@asynccontextmanager
async def serving(script: Script, **changes: object) -> AsyncIterator[tuple[RawServer, HttpxEndpoint]]:
    async with (
        raw_server(script) as server,
        HttpxEndpoint(settings(server.url, **changes), FakeClock()) as endpoint,
    ):
        yield server, endpoint


async def submitted(base_url: str, **changes: object) -> CallResult:
    async with HttpxEndpoint(settings(base_url, **changes), FakeClock()) as endpoint:
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
