from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme

from service.adapters.rabbitmq.errors import LinkLost
from service.private_broker.free_ports import free_ports
from tests.adapters.rabbitmq.broker_like import connect, saying, server_tls
from tests.support.raw_server import Peer, raw_server

YEAR_2020 = datetime(2020, 1, 1, tzinfo=UTC)
YEAR_2021 = datetime(2021, 1, 1, tzinfo=UTC)


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


async def said_by(url: str, ca_file: Path | None = None, connect_timeout: float = 5.0) -> str:
    with pytest.raises(LinkLost) as lost:
        await connect(url, ca_file, connect_timeout)
    assert "hush" not in str(lost.value)
    assert "VIDEOGEN_BROKER__URL" not in str(lost.value)  # it may have come from an option
    return str(lost.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_port_where_nothing_listens(host: str) -> None:
    (port,) = free_ports(1)
    said = await said_by(f"amqp://me:hush@{host}:{port}/")
    assert said == "nothing listens at the broker address: check its host and port, and that RabbitMQ is running"


async def test_a_host_name_that_nobody_knows() -> None:
    said = await said_by("amqp://me:hush@no-such-host.invalid/")
    assert said.startswith("the host name in the broker address cannot be looked up (")


async def test_a_broker_that_does_not_answer() -> None:
    async with raw_server(Peer.gone) as server:
        said = await said_by(f"amqp://me:hush@127.0.0.1:{server.port}/", connect_timeout=0.1)
    assert said.startswith("the broker did not answer in time: check host and port")


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n",
        b"AMQP\x00\x01\x00\x00",
    ],
    ids=["HTTP", "SSH", "AMQP 1.0"],
)
async def test_a_server_that_is_no_rabbitmq(answer: bytes) -> None:
    async with raw_server(saying(answer)) as server:
        said = await said_by(f"amqp://me:hush@127.0.0.1:{server.port}/")
    assert said == "what answers there is no RabbitMQ: check host and port in the broker address"


async def test_a_server_that_closes_at_once() -> None:
    async with raw_server(saying(b"")) as server:
        said = await said_by(f"amqp://me:hush@127.0.0.1:{server.port}/")
    assert said.startswith("the connection was closed at once: check scheme")


async def test_tls_towards_a_port_without_it() -> None:
    async with raw_server(saying(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as server:
        said = await said_by(f"amqps://me:hush@127.0.0.1:{server.port}/")
    assert said.startswith("the broker speaks no TLS on this port")


async def test_a_certificate_that_has_expired(authority: trustme.CA, ca_file: Path) -> None:
    old = authority.issue_cert("127.0.0.1", not_before=YEAR_2020, not_after=YEAR_2021)
    async with raw_server(saying(b""), server_tls(old)) as server:
        said = await said_by(f"amqps://127.0.0.1:{server.port}/", ca_file)
    assert said.startswith("the broker's certificate, or one that it hangs on, has expired")


async def test_a_certificate_of_another_authority(ca_file: Path) -> None:
    foreign = trustme.CA().issue_cert("127.0.0.1")
    async with raw_server(saying(b""), server_tls(foreign)) as server:
        said = await said_by(f"amqps://127.0.0.1:{server.port}/", ca_file)
    assert "VIDEOGEN_BROKER__CA_FILE" in said


@pytest.mark.parametrize("scheme_host", ["amqps://127.0.0.1", "amqps://localhost"])
async def test_a_certificate_for_another_host(scheme_host: str, authority: trustme.CA, ca_file: Path) -> None:
    async with raw_server(saying(b""), server_tls(authority.issue_cert("broker.example"))) as server:
        said = await said_by(f"{scheme_host}:{server.port}/", ca_file)
    assert said.startswith("the broker's certificate is for another host")


async def test_a_tls_handshake_that_the_broker_refuses() -> None:
    # RFC 8446 section 6: a fatal alert, handshake_failure.
    async with raw_server(saying(b"\x15\x03\x03\x00\x02\x02\x28")) as server:
        said = await said_by(f"amqps://127.0.0.1:{server.port}/")
    assert said.startswith("the broker refused TLS with us (SSLV3_ALERT_HANDSHAKE_FAILURE): check its log")


async def test_a_server_that_resets_the_connection() -> None:
    async def reset(peer: Peer) -> None:
        await peer.reader.readexactly(8)
        peer.reset()

    async with raw_server(reset) as server:
        said = await said_by(f"amqp://127.0.0.1:{server.port}/")
    assert said.startswith("the connection was closed at once")
