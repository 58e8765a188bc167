"""The endpoint over TLS: which failures are surely not sent, what is said of them, and that the worker comes back."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import aio_pika
import pytest

from service.adapters.reach import EndpointUnreachable, reach
from service.core.call import Accepted, NotSent, NotSentReason, Uncertain, UncertainReason
from service.simulator.server import Simulator
from tests.deploy.tls.front import Front, refuse_late, tls_front
from tests.deploy.tls.papers import Papers, server_context
from tests.deploy.tls.sockets import listening
from tests.e2e.test_requests import request
from tests.support.broker import Amqp
from tests.support.endpoint_calls import settings, submitted
from tests.support.environment import environment
from tests.support.process import process
from tests.support.running import simulated_endpoint

AUTHORITY = "the endpoint's certificate is from an unknown authority: set VIDEOGEN_ENDPOINT__CA_FILE"
EXPIRED = "the endpoint's certificate, or one that it hangs on, has expired: renew it"
OTHER_HOST = "the endpoint's certificate is for another host: use a name that it was issued for in VIDEOGEN_ENDPOINT__"
CLIENT = "the endpoint asks for a client certificate, and there is no setting for one"


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    return Papers(tmp_path_factory.mktemp("papers"))


@pytest.fixture(autouse=True)
def no_proxy_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@asynccontextmanager
async def secure_endpoint(context: ssl.SSLContext) -> AsyncIterator[tuple[Simulator, Front]]:
    async with simulated_endpoint() as simulator, tls_front(simulator.base_url, context) as front:
        yield simulator, front


@pytest.mark.parametrize("variable", [None, "SSL_CERT_FILE"])
async def test_an_authority_of_our_own_is_trusted(
    variable: str | None, papers: Papers, monkeypatch: pytest.MonkeyPatch
) -> None:
    if variable:
        monkeypatch.setenv(variable, str(papers.our_ca))
    async with secure_endpoint(server_context(papers.issue("server", "localhost"))) as (simulator, front):
        ca_file = None if variable else papers.our_ca
        assert isinstance(await submitted(front.url(), ca_file=ca_file), Accepted)
        assert await reach(settings(front.url(), ca_file=ca_file)) == 404
    assert len(simulator.record.posts) == 1


class Case:
    """One endpoint that must not be trusted, or does not trust us."""

    def __init__(self, papers: Papers, fault: str) -> None:
        pair = papers.issue("server", "localhost", expired=fault == "expired")
        # A server of Python asks for a certificate, and closes without a word where there is none.
        self.context = server_context(pair, papers.our_ca if fault == "cut" else None)
        if fault == "cut":
            self.context.maximum_version = ssl.TLSVersion.TLSv1_2
        self.host = "127.0.0.1" if fault == "other host" else "localhost"
        authorities: Mapping[str, Path | None] = {"wrong authority": papers.their_ca, "built-in authorities": None}
        self.ca_file = authorities.get(fault, papers.our_ca)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("wrong authority", AUTHORITY),
        ("built-in authorities", AUTHORITY),
        ("expired", EXPIRED),
        ("other host", OTHER_HOST),
        ("cut", "the endpoint closed the connection in the TLS handshake: check certificates and TLS versions"),
    ],
)
async def test_a_handshake_that_fails_is_not_sent_and_explained(fault: str, said: str, papers: Papers) -> None:
    case = Case(papers, fault)
    async with secure_endpoint(case.context) as (simulator, front):
        result = await submitted(front.url(case.host), ca_file=case.ca_file)
        with pytest.raises(EndpointUnreachable) as unreachable:
            await reach(settings(front.url(case.host), ca_file=case.ca_file))
    assert isinstance(result, NotSent)
    assert result.reason is NotSentReason.TLS
    assert said in str(result.why)
    assert said in str(unreachable.value)
    assert (front.let_in, len(simulator.record.posts)) == (0, 0)


async def test_a_plain_port_is_not_sent_and_explained(papers: Papers) -> None:
    async with simulated_endpoint() as simulator:
        url = simulator.base_url.replace("http://", "https://")
        result = await submitted(url, ca_file=papers.our_ca)
        with pytest.raises(EndpointUnreachable, match="speaks no TLS on this port"):
            await reach(settings(url))
    assert isinstance(result, NotSent)
    assert "the endpoint speaks no TLS on this port: check scheme (http:// or https://)" in str(result.why)
    assert not simulator.record.posts


@asynccontextmanager
async def asking_for_certificates(papers: Papers, version: ssl.TLSVersion) -> AsyncIterator[int]:
    context = server_context(papers.issue("server", "localhost"), papers.our_ca)
    context.maximum_version = version

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert not await refuse_late(reader, writer, context)

    async with listening(serve) as port:
        yield port


async def test_a_client_certificate_that_is_missed_in_the_handshake_is_not_sent_and_explained(papers: Papers) -> None:
    async with asking_for_certificates(papers, ssl.TLSVersion.TLSv1_2) as port:
        result = await submitted(f"https://localhost:{port}", ca_file=papers.our_ca)
    assert isinstance(result, NotSent)
    # This alert does not say what was missing.
    assert "the endpoint refused TLS with us (SSLV3_ALERT_HANDSHAKE_FAILURE): check its log" in str(result.why)


async def test_a_client_certificate_that_is_missed_after_the_handshake_is_uncertain_and_explained(
    papers: Papers,
) -> None:
    """With TLS 1.3 the request is on its way by then, and only the server knows whether it was read."""
    async with asking_for_certificates(papers, ssl.TLSVersion.TLSv1_3) as port:
        result = await submitted(f"https://localhost:{port}", ca_file=papers.our_ca)
        with pytest.raises(EndpointUnreachable) as unreachable:
            await reach(settings(f"https://localhost:{port}", ca_file=papers.our_ca))
    assert isinstance(result, Uncertain)
    assert result.reason is UncertainReason.CONNECTION_LOST
    assert CLIENT in str(result.answer.message)
    assert CLIENT in str(unreachable.value)


async def test_a_worker_tells_why_it_cannot_trust_the_endpoint_and_comes_back_when_it_can(
    papers: Papers, broker_url: str, prefix: str, amqp: Amqp
) -> None:
    context = server_context(papers.issue("server", "localhost", expired=True))
    async with secure_endpoint(context) as (simulator, front):
        quick = {
            "VIDEOGEN_ENDPOINT__CA_FILE": str(papers.our_ca),
            "VIDEOGEN_ENDPOINT__DOWN_AFTER": "3",
            "VIDEOGEN_RETRY__BASE": "10ms",
            "VIDEOGEN_WORKER__PROBE_FIRST": "200ms",
            "VIDEOGEN_WORKER__PROBE_CAP": "200ms",
        }
        async with process(environment=environment(broker_url, prefix, front.url(), **quick)) as worker:
            await worker.says("consumer active")
            await amqp.publish(f"{prefix}.requests", aio_pika.Message(request("a cat"), message_id="r1"))
            assert EXPIRED in await worker.says("no connection to the endpoint")
            assert EXPIRED in await worker.says("paused: no call starts")
            assert not simulator.record.posts

            renewed = papers.issue("server", "localhost")
            context.load_cert_chain(renewed.certificate, renewed.key)
            result = await amqp.receive(f"{prefix}.results")
        assert b'"status":"submitted"' in result.body
        assert len(simulator.record.posts) == 1
        assert sum("no connection to the endpoint" in line for line in worker.output) == 1
    assert "Traceback" not in "\n".join(worker.output)
