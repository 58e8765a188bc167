"""What really happens on the socket; an HTTP client would hide half of it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from service.simulator.post import Label
from service.simulator.server import GENERATIONS
from tests.simulator.serving import BODY, Endpoint


@asynccontextmanager
async def _sent(endpoint: Endpoint, directive: str) -> AsyncIterator[asyncio.StreamReader]:
    url = httpx.URL(endpoint.simulator.base_url)
    body = json.dumps({**BODY, "prompt": directive}).encode()
    reader, writer = await asyncio.open_connection(url.host, url.port)
    head = (
        f"POST {GENERATIONS} HTTP/1.1\r\nHost: {url.host}\r\nAuthorization: Bearer k\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    writer.write(head.encode() + body)
    try:
        yield reader
    finally:
        writer.close()


@pytest.mark.parametrize(("directive", "accepted"), [("[sim: reset]", True), ("[sim: reset-before]", False)])
async def test_a_reset_connection_gives_no_byte(endpoint: Endpoint, directive: str, *, accepted: bool) -> None:
    async with _sent(endpoint, directive) as reader:
        with pytest.raises(ConnectionResetError):
            await reader.read()
    (post,) = endpoint.simulator.record.posts
    assert (post.accepted, post.status, post.label) == (accepted, None, Label.CUT)


@pytest.mark.parametrize(("directive", "accepted"), [("[sim: close]", True), ("[sim: close-before]", False)])
async def test_a_closed_connection_ends_without_a_byte(endpoint: Endpoint, directive: str, *, accepted: bool) -> None:
    async with _sent(endpoint, directive) as reader:
        assert await reader.read() == b""
    (post,) = endpoint.simulator.record.posts
    assert (post.accepted, post.status, post.label) == (accepted, None, Label.CUT)


async def test_half_an_answer_promises_more_than_it_holds(endpoint: Endpoint) -> None:
    async with _sent(endpoint, "[sim: half]") as reader:
        head, _, rest = (await reader.read()).partition(b"\r\n\r\n")
    (post,) = endpoint.simulator.record.posts
    whole = json.dumps({"task_id": post.task_id}).encode()
    assert f"content-length: {len(whole)}" in head.decode().lower()
    assert rest == whole[: len(whole) // 2]
    assert (post.accepted, post.status, post.label) == (True, 200, Label.CUT)


async def test_a_truncated_body_is_whole_http(endpoint: Endpoint) -> None:
    response = await endpoint.post("[sim: truncated]")
    assert int(response.headers["Content-Length"]) == len(response.content)
    with pytest.raises(json.JSONDecodeError):
        response.json()


@pytest.mark.parametrize("directive", ["[sim: reset]", "[sim: close]", "[sim: half]", "[sim: hang]"])
async def test_the_framework_logs_nothing_about_a_fault(
    endpoint: Endpoint, directive: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with _sent(endpoint, directive):
        await endpoint.simulator.record.wait_for(1)
    await endpoint.simulator.record.wait_idle()
    # A later call shows that the connection before it was dealt with.
    assert (await endpoint.post()).status_code == 200
    assert [record for record in caplog.records if record.name.startswith(("aiohttp", "asyncio"))] == []
