"""The management API of a real broker, and what is no such API."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from uuid import uuid4

import pytest
from pydantic import SecretStr

from service.adapters.broker_check import contract_findings
from service.adapters.management import ManagementApi, ManagementUnavailable, management_api
from service.adapters.rabbitmq.declare import declare
from service.core.broker_contract import BrokerState, ExchangeState, topology_findings
from service.core.finding import Verdict
from service.core.queue_state import Policies, QueueState
from service.core.topology import Topology
from service.private_broker import Node, private_node
from service.private_broker.free_ports import free_ports
from service.private_broker.installation import SYSTEM_PATHS, Installation, find_installation
from tests.support.broker import amqp_client, announce, entered
from tests.support.fakes import GUARD
from tests.support.management_api import empty_broker, management
from tests.support.raw_server import Peer, Script, answer, raw_server
from tests.support.running import settings_for

# A queue tells its policies from time to time, and the API collects that from time to time.
COLLECTED = 40.0


@dataclass(frozen=True, slots=True)
class Managed:
    """A broker with the management API."""

    node: Node
    url: str


@pytest.fixture(scope="module")
def managed(pytestconfig: pytest.Config) -> Iterator[Managed]:
    (port,) = free_ports(1)
    context = private_node(
        lambda line: announce(pytestconfig, line),
        plugins=["rabbitmq_management"],
        configuration={
            "management.tcp.ip": "127.0.0.1",
            "management.tcp.port": str(port),
            "collect_statistics_interval": "500",
        },
    )
    with entered(context) as node:
        yield Managed(node, f"http://guest:guest@127.0.0.1:{port}")


@pytest.fixture
def installation(managed: Managed) -> Installation:
    """Stand for a node of our own: tests that ask for this are left out where none can be had."""
    return find_installation(SYSTEM_PATHS)


@pytest.fixture
async def api(managed: Managed, installation: Installation) -> AsyncIterator[ManagementApi]:
    async with management_api(SecretStr(managed.url), "/", None, COLLECTED) as api:
        yield api


@pytest.fixture
def topology() -> Topology:
    return Topology(f"test-{uuid4().hex[:12]}")


async def put_up(node: Node, topology: Topology) -> None:
    async with amqp_client(node.url) as amqp:
        await declare(amqp.channel, topology)


async def with_policies(api: ManagementApi, topology: Topology) -> BrokerState:
    """Read until the broker has told the policies of every queue; the guard is that of `api`."""
    while True:
        state = await api.state(topology)
        if all(queue.policies is not None for queue in state.queues.values()):
            return state


async def test_queues_are_read_with_the_policies_over_them(
    managed: Managed, api: ManagementApi, topology: Topology
) -> None:
    pattern = f"^{topology.results}$"
    await managed.node.run_ctl("set_policy", "ours", pattern, '{"message-ttl": 60000, "max-length": 5}')
    await managed.node.run_ctl("set_operator_policy", "theirs", pattern, '{"message-ttl": 30000}')
    await managed.node.run_ctl("eval", "application:set_env(rabbit, quorum_tick_interval, 100).")
    await put_up(managed.node, topology)

    state = await with_policies(api, topology)

    both = Policies(("ours", "theirs"), {"message-ttl": 30000, "max-length": 5})
    assert {name: queue.policies for name, queue in state.queues.items()} == {
        topology.dead: Policies((), {}),
        topology.undelivered: Policies((), {}),
        topology.results: both,
        topology.requests: Policies((), {}),
    }
    wrong = {finding.what for finding in topology_findings(topology, state) if finding.verdict is not Verdict.OK}
    assert wrong == {f"queue {topology.results}"}


async def test_what_is_not_there_is_left_out(api: ManagementApi, topology: Topology) -> None:
    assert await api.state(topology) == BrokerState(None, {}, frozenset())


async def test_objects_of_another_kind_are_read_as_they_are(
    managed: Managed, api: ManagementApi, topology: Topology
) -> None:
    async with amqp_client(managed.node.url) as amqp:
        await amqp.channel.declare_exchange(topology.exchange, "direct", durable=False)
        await amqp.channel.declare_queue(topology.dead, durable=True, arguments={"x-expires": 600_000})

    state = await api.state(topology)

    assert state.exchange == ExchangeState("direct", durable=False)
    queue = state.queues[topology.dead]
    assert (queue.kind, queue.durable, queue.arguments) == ("classic", True, {"x-expires": 600_000})


async def test_a_virtual_host_may_have_any_name(
    managed: Managed, installation: Installation, topology: Topology
) -> None:
    vhost = "a/b c?"
    await managed.node.run_ctl("add_vhost", vhost)
    await managed.node.run_ctl("set_permissions", "-p", vhost, "guest", ".*", ".*", ".*")
    url = managed.node.url + "a%2Fb%20c%3F"
    async with amqp_client(url) as amqp:
        await declare(amqp.channel, topology)
        settings = settings_for(url, topology.prefix, "http://127.0.0.1:9")
        broker = settings.broker.model_copy(update={"management_url": SecretStr(managed.url)})

        findings = await contract_findings(settings.model_copy(update={"broker": broker}), amqp.connection)

    # Its retry queues are missing: `topology` has no tiers, and the settings have.
    missing = {finding.what for finding in findings if finding.verdict is Verdict.WRONG}
    assert missing == {f"queue {settings.topology.retry_queue(tier)}" for tier in settings.topology.tiers}


async def test_a_wrong_password_is_explained_without_it(managed: Managed, installation: Installation) -> None:
    url = SecretStr(managed.url.replace("guest:guest", "guest:hidden"))
    async with management_api(url, "/", None, GUARD) as api:
        with pytest.raises(ManagementUnavailable, match="refused the login") as raised:
            await api.cluster_name()

    assert "VIDEOGEN_BROKER__MANAGEMENT_URL" in str(raised.value)
    assert "hidden" not in str(raised.value)


async def test_a_port_where_nothing_listens_is_explained() -> None:
    async with management_api(SecretStr("http://guest:hidden@127.0.0.1:9/"), "/", None, GUARD) as api:
        with pytest.raises(ManagementUnavailable, match="does not answer") as raised:
            await api.cluster_name()

    assert "rabbitmq_management" in str(raised.value)
    assert "hidden" not in str(raised.value)


async def overview_of(script: Script) -> str:
    async with (
        raw_server(script) as server,
        management_api(SecretStr(server.url), "/", None, GUARD) as api,
    ):
        return await api.cluster_name()


@pytest.mark.parametrize(
    ("data", "part"),
    [
        (answer("200 OK", b"<html>"), "no management API"),
        (answer("200 OK", b'{"status": "fine"}'), "no management API"),
        (answer("200 OK", b'"' + b"\xff" + b'"'), "no management API"),
        (answer("404 Not Found", b"<html>"), "no management API"),
        (answer("301 Moved Permanently", b"", "Location: https://elsewhere/"), "HTTP 301"),
        (answer("500 Internal Server Error", b""), "HTTP 500"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "does not answer"),
        (b"", "does not answer"),
    ],
)
async def test_what_is_no_management_api_is_explained(data: bytes, part: str) -> None:
    async def script(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        await peer.send(data)

    with pytest.raises(ManagementUnavailable, match=part) as raised:
        await overview_of(script)

    assert "VIDEOGEN_BROKER__MANAGEMENT_URL" in str(raised.value)


async def silent(peer: Peer) -> None:
    await peer.gone()


async def endless(peer: Peer) -> None:
    try:
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            await peer.send(b" ")
            await asyncio.sleep(0)  # one round of the event loop, no time
    finally:
        peer.reset()


@pytest.mark.parametrize("script", [silent, endless])
async def test_an_answer_that_never_ends_is_given_up_in_time(script: Script) -> None:
    async with raw_server(script) as server:
        with pytest.raises(ManagementUnavailable, match="in time"):
            async with asyncio.timeout(GUARD), management_api(SecretStr(server.url), "/", None, 1.0) as api:
                await api.cluster_name()


async def test_user_and_password_are_sent_decoded_and_the_path_is_kept() -> None:
    heads: list[str] = []

    async def script(peer: Peer) -> None:
        heads.append((await peer.reader.readuntil(b"\r\n\r\n")).decode())
        await peer.send(answer("200 OK", b'{"rabbitmq_version": "4.0.5", "cluster_name": "ours"}'))

    async with raw_server(script) as server:
        url = SecretStr(server.url.replace("//", "//us%40er:pa%2Fss@") + "/rabbit/")
        async with management_api(url, "/", None, GUARD) as api:
            assert await api.cluster_name() == "ours"

    assert heads[0].startswith("GET /rabbit/api/overview HTTP/1.1\r\n")
    # base64 of "us@er:pa/ss"
    assert "Basic dXNAZXI6cGEvc3M=" in heads[0]


async def test_no_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")

    assert await overview_of(empty_broker("ours")) == "ours"


# What RabbitMQ 4.0.5 and 3.10.8 say, cut down.
WITH_CONSUMERS = {
    "type": "quorum",
    "durable": True,
    "arguments": {"x-queue-type": "quorum"},
    "policy": None,
    "operator_policy": None,
    "effective_policy_definition": {},
    "consumer_details": [
        {"consumer_tag": "a", "consumer_timeout": 1800000},
        {"consumer_tag": "b", "consumer_timeout": 900000},
        {"consumer_tag": "c", "consumer_timeout": "undefined"},
    ],
}
JUST_DECLARED = {"type": "quorum", "durable": True, "arguments": {"x-queue-type": "quorum"}}
QUORUM = {"x-queue-type": "quorum"}


@pytest.mark.parametrize(
    ("said", "queue"),
    [
        (WITH_CONSUMERS, QueueState("quorum", True, QUORUM, Policies((), {}), 900_000)),
        (JUST_DECLARED, QueueState("quorum", True, QUORUM, None)),
        (
            {**JUST_DECLARED, "arguments": [], "effective_policy_definition": []},
            QueueState("quorum", True, {}, Policies((), {})),
        ),
    ],
)
async def test_what_differs_between_versions_is_read(said: object, queue: QueueState) -> None:
    topology = Topology("ours")
    async with (
        raw_server(management({"queues/%2F/ours.requests": said}.get)) as server,
        management_api(SecretStr(server.url), "/", None, GUARD) as api,
    ):
        assert (await api.state(topology)).queues == {topology.requests: queue}
