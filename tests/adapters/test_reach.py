import asyncio
import ssl
from pathlib import Path

import pytest
import trustme

from service.adapters.reach import EndpointUnreachable, reach
from service.private_broker.free_ports import free_ports
from tests.support.endpoint_calls import settings
from tests.support.raw_server import Peer, Script, answer, raw_server


def answering_get(data: bytes, seen: list[str] | None = None) -> Script:
    async def script(peer: Peer) -> None:
        head = (await peer.reader.readuntil(b"\r\n\r\n")).decode()
        if seen is not None:
            seen.append(head)
        await peer.send(data)

    return script


@pytest.mark.parametrize("status", ["200 OK", "401 Unauthorized", "404 Not Found", "503 Service Unavailable"])
async def test_any_status_is_an_answer(status: str) -> None:
    async with raw_server(answering_get(answer(status, b""))) as server:
        assert await reach(settings(server.url)) == int(status[:3])


async def test_the_base_url_is_asked_once_without_the_key_and_no_redirect_is_followed() -> None:
    seen: list[str] = []
    moved = answer("307 Temporary Redirect", b"", "Location: /v2/videos/generations")
    async with raw_server(answering_get(moved, seen)) as server:
        assert await reach(settings(f"{server.url}/gateway")) == 307
    (head,) = seen
    assert head.startswith("GET /gateway HTTP/1.1\r\n")
    assert "authorization" not in head.lower()


async def test_a_port_where_nothing_listens_is_explained() -> None:
    (port,) = free_ports(1)
    with pytest.raises(EndpointUnreachable, match="VIDEOGEN_ENDPOINT__BASE_URL"):
        await reach(settings(f"http://127.0.0.1:{port}"))


async def test_a_server_that_stays_silent_is_given_up_after_the_connect_timeout() -> None:
    async with raw_server(Peer.gone) as server, asyncio.timeout(5):
        with pytest.raises(EndpointUnreachable, match="nothing within the time"):
            await reach(settings(server.url, connect_timeout=0.1))


async def test_a_server_that_speaks_no_http_is_explained() -> None:
    async with raw_server(answering_get(b"220 smtp ready\r\n")) as server:
        with pytest.raises(EndpointUnreachable):
            await reach(settings(server.url))


async def test_the_authority_of_the_settings_is_trusted(authority: trustme.CA, tmp_path: Path) -> None:
    ca_file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    async with raw_server(answering_get(answer("200 OK", b"")), context) as server:
        url = f"https://127.0.0.1:{server.port}"
        assert await reach(settings(url, ca_file=ca_file)) == 200
        with pytest.raises(EndpointUnreachable):
            await reach(settings(url))
