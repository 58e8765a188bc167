"""The cluster of deploy/compose/cluster.yaml, under load, while its nodes go away and come back."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel

from service.core.topology import Topology
from service.settings.names import PREFIX
from tests.chaos.harness.traffic import Request, Traffic, requests
from tests.chaos.harness.verdict import judge
from tests.deploy.rabbitmq.cluster import CLUSTER_FILE, MONITOR, PRODUCER, Cluster, another, running_cluster
from tests.deploy.rabbitmq.definitions import FOLDER
from tests.deploy.rabbitmq.producer import EXCHANGE, KEY
from tests.deploy.rabbitmq.record import counts_at, posts_at
from tests.docs.pages import page
from tests.support.broker import amqp_client, announce
from tests.support.links import options_for

# Images may have to be fetched and built first.
pytestmark = pytest.mark.timeout(600)

TOPOLOGY = Topology()
REPLIES = "reply.cluster-test"
# Long enough for calls to be under way when a node goes.
PROMPT = "a cat on a surfboard [sim: latency=1.5]"
FIRST, SECOND = 500, 600
ANSWER_LIMIT = 120.0


class ProducersTraffic(Traffic):
    """Publishes as the producer of the definitions may: through the exchange."""

    async def _send(  # type: ignore[explicit-override] # `typing.override` came with Python 3.12
        self, channel: AbstractChannel, request: Request
    ) -> None:
        message = aio_pika.Message(
            request.body,
            message_id=request.name,
            correlation_id=request.name,
            reply_to=REPLIES,
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        )
        exchange = await channel.get_exchange(EXCHANGE, ensure=False)
        await exchange.publish(message, KEY, mandatory=True, timeout=30)


@asynccontextmanager
async def traffic_at(url: str) -> AsyncIterator[ProducersTraffic]:
    async with amqp_client(url) as amqp:
        await amqp.channel.declare_queue(REPLIES, durable=True, arguments={"x-queue-type": "quorum"})
    traffic = ProducersTraffic(options_for(url), TOPOLOGY.requests, REPLIES)
    listening = asyncio.create_task(traffic.listen())
    try:
        yield traffic
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


async def test_no_variable_of_the_file_could_be_taken_for_a_setting_and_the_page_names_all() -> None:
    variables = re.findall(r"[^$]\$\{(\w+):-([^}]*)\}", CLUSTER_FILE.read_text())
    page = (FOLDER / "README.md").read_text()
    assert len(variables) > 8
    assert [name for name, _ in variables if name.startswith(PREFIX)] == []
    ours = {(name, default) for name, default in variables if name.startswith(("RABBIT_", "CLUSTER_"))}
    assert {(name, default) for name, default in ours if f"`{name}` | `{default}` |" not in page} == set()


async def test_the_services_are_locked_up_and_published_on_loopback_alone(docker: str) -> None:
    services = {
        name: service
        for name, service in (await Cluster(docker).configuration()).items()
        if "cluster" in service.get("profiles", ())
    }
    assert len(services) == 6
    published = {port["host_ip"] for service in services.values() for port in service.get("ports", ())}
    assert published == {"127.0.0.1"}
    for name, service in services.items():
        locks = (service.get("read_only"), service.get("cap_drop"), service.get("security_opt"))
        assert (name, *locks) == (name, True, ["ALL"], ["no-new-privileges:true"])


async def test_every_request_is_answered_and_paid_once_though_nodes_die_and_restart(
    docker: str, pytestconfig: pytest.Config
) -> None:
    began = time.monotonic()
    (start,) = page("deploy/rabbitmq/README.md").left_to(__file__)
    async with running_cluster(docker, start) as cluster:
        figures = [f"up after {time.monotonic() - began:.0f} s"]
        leader = await cluster.leader("rabbit-1")
        async with traffic_at(cluster.amqp(another(leader), PRODUCER)) as traffic:
            await cluster.until_whole(another(leader))
            figures.append(await the_leader_is_killed(cluster, traffic, leader))
            await cluster.until_whole(another(leader))
            figures.append(await a_node_of_workers_is_shut_down(cluster, traffic))
            await cluster.until_whole("rabbit-1")
        await cluster.compose("stop", "worker-cluster")

        verdict = judge(traffic.asked, traffic.told, await posts_at(cluster.simulator))
        figures.append(
            f"{verdict.requests} requests: {verdict.submitted} submitted, {len(verdict.lost)} lost, "
            f"{len(verdict.paid_twice)} paid twice, {len(verdict.called_again)} called again, "
            f"{verdict.repeated} results repeated, {len(verdict.contradicted)} contradicted"
        )
        announce(pytestconfig, f"Cluster: {'; '.join(figures)}; {time.monotonic() - began:.0f} s in all")
        assert verdict.complaints() == []
        assert verdict.submitted == FIRST + SECOND
        counts = await counts_at(cluster.simulator)
        assert (counts["accepted_more_than_once"], counts["called_again"]) == ({}, {})
        assert await cluster.exit_statuses("worker-cluster") == [0, 0]
        async with amqp_client(cluster.amqp("rabbit-1", MONITOR)) as amqp:
            left = {spec.name: await amqp.count(spec.name) for spec in TOPOLOGY.queues}
        assert left == dict.fromkeys(left, 0)


async def the_leader_is_killed(cluster: Cluster, traffic: Traffic, leader: str) -> str:
    """Kill it while calls are under way and requests wait; start it again while requests wait."""
    await traffic.publish(requests(FIRST, PROMPT))
    assert await traffic.until_answered(50, ANSWER_LIMIT)
    connections = (await cluster.connections(another(leader)))[leader]
    killed_at = traffic.answered
    await cluster.kill(leader)
    assert await traffic.until_answered(FIRST - 150, ANSWER_LIMIT)
    started_at = traffic.answered
    assert killed_at < started_at < FIRST
    await cluster.start(leader)
    assert await traffic.all_answered(ANSWER_LIMIT)
    return (
        f"{leader}, leader, with {connections} connections of workers, killed after {killed_at} results "
        f"and started after {started_at}"
    )


async def a_node_of_workers_is_shut_down(cluster: Cluster, traffic: Traffic) -> str:
    """Restart in good order what most connections of workers lead to, while calls are under way."""
    before = traffic.answered
    await traffic.publish(requests(SECOND, PROMPT, first=FIRST))
    ((node, connections),) = (await cluster.connections("rabbit-1")).most_common(1)
    assert connections > 0
    await cluster.shut_down(node)
    answered = traffic.answered - before
    assert answered < SECOND
    assert await traffic.all_answered(ANSWER_LIMIT)
    return f"{node}, with {connections} connections, shut down after {answered} of further {SECOND}"
