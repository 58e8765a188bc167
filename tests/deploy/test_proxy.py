"""The endpoint through a proxy: calls that it stops are surely not sent, and its password is told to nobody else."""

import aio_pika
import pytest

from service.adapters.reach import EndpointUnreachable, reach
from service.core.call import Accepted, CallResult, NotSent, NotSentReason
from service.private_broker.free_ports import free_ports
from tests.deploy.tls.connect_proxy import ConnectProxy, connect_proxy
from tests.deploy.tls.front import tls_front
from tests.deploy.tls.papers import Papers, server_context
from tests.e2e.test_requests import request
from tests.support.broker import Amqp
from tests.support.endpoint_calls import settings, submitted
from tests.support.environment import environment
from tests.support.process import process
from tests.support.running import simulated_endpoint

LOGIN, WRITTEN = "gate:pa/ss@proxy word", "gate:pa%2Fss%40proxy%20word"
PASSWORDS = ("pa/ss@proxy word", "pa%2Fss%40proxy%20word")


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    return Papers(tmp_path_factory.mktemp("papers"))


@pytest.fixture(autouse=True)
def no_proxy_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


async def through(
    proxy_url: str, papers: Papers, monkeypatch: pytest.MonkeyPatch, *, plain: bool = False
) -> tuple[CallResult, str, int]:
    """Make one call; give its result, what `check` says of the endpoint, and the POSTs that the endpoint saw."""
    monkeypatch.setenv("HTTP_PROXY" if plain else "HTTPS_PROXY", proxy_url)
    context = server_context(papers.issue("server", "localhost"))
    async with simulated_endpoint() as simulator, tls_front(simulator.base_url, context) as front:
        url = simulator.base_url if plain else front.url()
        result = await submitted(url, ca_file=papers.our_ca, timeout=1.0, connect_timeout=1.0)
        try:
            said = f"HTTP {await reach(settings(url, ca_file=papers.our_ca, connect_timeout=1.0))}"
        except EndpointUnreachable as unreachable:
            said = str(unreachable)
    return result, said, len(simulator.record.posts)


@pytest.mark.parametrize("login", [None, LOGIN])
async def test_a_call_goes_through_the_tunnel(
    login: str | None, papers: Papers, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connect_proxy(ConnectProxy(login)) as proxy:
        user = f"{WRITTEN}@" if login else ""
        result, said, posts = await through(f"http://{user}127.0.0.1:{proxy.port}", papers, monkeypatch)
    assert isinstance(result, Accepted)
    assert (said, posts) == ("HTTP 404", 1)
    assert {target.partition(":")[0] for target in proxy.asked} == {"localhost"}


@pytest.mark.parametrize("names", ["localhost", "*", ".example,localhost"])
async def test_no_proxy_is_honoured(names: str, papers: Papers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", names)
    async with connect_proxy(ConnectProxy()) as proxy:
        result, _, posts = await through(f"http://127.0.0.1:{proxy.port}", papers, monkeypatch)
    assert isinstance(result, Accepted)
    assert (posts, proxy.asked) == (1, [])


@pytest.mark.parametrize(
    ("proxy", "said"),
    [
        (ConnectProxy(login="other:login"), "refuses our login, or asks for one (HTTP 407): set HTTPS_PROXY"),
        (ConnectProxy(refusal="403 Forbidden"), "refuses a tunnel to the endpoint (HTTP 403): have it allow the host"),
        (
            ConnectProxy(refusal="502 Bad Gateway"),
            "refuses a tunnel to the endpoint (HTTP 502): have it allow the host",
        ),
        (ConnectProxy(breaks_off=True), "broke off when it was asked for a tunnel to the endpoint: check HTTPS_PROXY"),
        (ConnectProxy(silent=True), "did not let us connect in time: check HTTPS_PROXY"),
    ],
    ids=["407", "403", "502", "breaks off", "silent"],
)
async def test_a_proxy_that_opens_no_tunnel_is_named_without_its_password(
    proxy: ConnectProxy, said: str, papers: Papers, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connect_proxy(proxy):
        url = f"http://{WRITTEN}@127.0.0.1:{proxy.port}"
        result, checked, posts = await through(url, papers, monkeypatch)
    assert isinstance(result, NotSent)
    for text in (str(result.why), checked):
        assert f"the proxy 127.0.0.1:{proxy.port} {said}" in text
        assert not any(password in text for password in PASSWORDS)
    assert posts == 0


async def test_a_proxy_that_is_away_is_named_without_its_password(
    papers: Papers, monkeypatch: pytest.MonkeyPatch
) -> None:
    (port,) = free_ports(1)
    result, said, posts = await through(f"http://{WRITTEN}@127.0.0.1:{port}", papers, monkeypatch)
    assert isinstance(result, NotSent)
    assert result.reason is NotSentReason.REFUSED
    why = f"nothing listens at the proxy 127.0.0.1:{port}: check HTTPS_PROXY, HTTP_PROXY or ALL_PROXY"
    assert (str(result.why).startswith(why), said.startswith(why), posts) == (True, True, 0)


async def test_a_proxy_whose_name_nobody_knows_is_named(papers: Papers, monkeypatch: pytest.MonkeyPatch) -> None:
    result, said, _ = await through(f"http://{WRITTEN}@no-proxy.invalid:3128", papers, monkeypatch)
    assert isinstance(result, NotSent)
    assert result.reason is NotSentReason.DNS
    for text in (str(result.why), said):
        assert text.startswith("the host name of the proxy no-proxy.invalid:3128 cannot be looked up (")


async def test_a_certificate_that_is_not_trusted_is_told_with_the_proxy(
    papers: Papers, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connect_proxy(ConnectProxy()) as proxy:
        monkeypatch.setattr(papers, "our_ca", papers.their_ca)
        result, said, posts = await through(f"http://127.0.0.1:{proxy.port}", papers, monkeypatch)
    assert isinstance(result, NotSent)
    for text in (str(result.why), said):
        assert text.startswith("the endpoint's certificate is from an unknown authority")
        assert text.endswith(f"(through the proxy 127.0.0.1:{proxy.port})")
    assert posts == 0


async def test_a_login_that_a_proxy_asks_for_before_a_plain_call_is_not_held_against_the_request(
    papers: Papers, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connect_proxy(ConnectProxy(login=LOGIN)) as proxy:
        result, said, posts = await through(f"http://127.0.0.1:{proxy.port}", papers, monkeypatch, plain=True)
    assert isinstance(result, NotSent)
    assert (result.reason, result.answer.http_status, posts) == (NotSentReason.GATEWAY, 407, 0)
    assert f"the proxy 127.0.0.1:{proxy.port} refuses our login, or asks for one" in said


async def test_a_worker_names_the_proxy_that_refuses_it_and_comes_back_when_it_is_let_in(
    papers: Papers, broker_url: str, prefix: str, amqp: Amqp
) -> None:
    context = server_context(papers.issue("server", "localhost"))
    async with (
        simulated_endpoint() as simulator,
        tls_front(simulator.base_url, context) as front,
        connect_proxy(ConnectProxy(login="other:login")) as proxy,
    ):
        given = {
            "HTTPS_PROXY": f"http://{WRITTEN}@127.0.0.1:{proxy.port}",
            "VIDEOGEN_ENDPOINT__CA_FILE": str(papers.our_ca),
            "VIDEOGEN_RETRY__BASE": "100ms",
            "VIDEOGEN_LOG__LEVEL": "debug",
        }
        async with process(environment=environment(broker_url, prefix, front.url(), **given)) as worker:
            await worker.says("consumer active")
            await amqp.publish(f"{prefix}.requests", aio_pika.Message(request("a cat"), message_id="r1"))
            told = await worker.says("no connection to the endpoint")
            assert f"the proxy 127.0.0.1:{proxy.port} refuses our login" in told
            assert not simulator.record.posts

            proxy.login = LOGIN
            result = await amqp.receive(f"{prefix}.results")
        assert b'"status":"submitted"' in result.body
        assert len(simulator.record.posts) == 1
    assert not any(password in line for line in worker.output for password in PASSWORDS)
