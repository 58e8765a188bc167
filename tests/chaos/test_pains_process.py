"""The worker as a process among others: what it uses, and how soon it leaves."""

import asyncio
import gc
import os
import time
from pathlib import Path

import pytest

from service.core.facts import ConsumerActive, LinkRole, LinkUp
from tests.chaos.harness.endpoint import EndpointProcess
from tests.chaos.harness.in_process import quick_settings, worker_at_work
from tests.chaos.harness.scene import open_scene
from tests.chaos.harness.traffic import Request, request, requests
from tests.chaos.harness.trial import Trial
from tests.chaos.harness.waiting import until
from tests.e2e.test_requests import replies_of
from tests.e2e.test_requests import request as body_of
from tests.support.broker import amqp_client
from tests.support.links import proxy_to, with_address
from tests.support.requester import open_requester
from tests.support.running import Running, simulated_endpoint
from tests.support.tcp_proxy import TcpProxy

pytestmark = pytest.mark.timeout(300)

MIB = 1024 * 1024
DRAIN = 6.0


@pytest.mark.pain(12)
async def test_poison_costs_one_call_one_result_and_one_dead_copy_and_leaves_the_worker_idle(
    trial: Trial, broker_url: str
) -> None:
    refused = [request(f"refused-{number}", "a cat [sim: 400]") for number in range(20)]
    malformed = [Request(f"malformed-{number}", b"\xff") for number in range(20)]
    async with open_scene(trial, broker_url, "sqlite") as scene:
        worker = await scene.worker(f"sqlite:///{trial.folder}/ledger.db")
        await scene.traffic.publish([*refused, *malformed])
        assert await scene.traffic.all_answered(silence=30)
        await until(lambda: holds(broker_url, scene.topology.dead, 40), "each request has its copy")
        before, began = cpu_seconds(worker.child.pid), time.monotonic()
        # A stretch to measure the CPU time over.
        await asyncio.sleep(2.0)
        share = (cpu_seconds(worker.child.pid) - before) / (time.monotonic() - began)
        assert await holds(broker_url, scene.topology.dead, 40)
        verdict = await scene.conclude("40 poison messages", more={"idle CPU share": share})

    assert share < 0.1
    assert verdict.repeated == 0
    assert {name: len(calls) for name, calls in verdict.calls.items() if calls} == {each.name: 1 for each in refused}


@pytest.mark.pain(14)
async def test_with_calls_that_never_end_a_signal_ends_the_worker_within_its_drain_timeout(
    trial: Trial, broker_url: str
) -> None:
    async with open_scene(trial, broker_url, "sqlite") as scene:
        worker = await scene.worker(
            f"sqlite:///{trial.folder}/ledger.db",
            VIDEOGEN_WORKER__CONCURRENCY="10",
            VIDEOGEN_WORKER__DRAIN_TIMEOUT=f"{DRAIN}s",
        )
        await scene.traffic.publish(requests(10, "a cat [sim: hang]"))
        await until(lambda: ten_in_flight(scene.endpoint), "ten calls are under way")
        began = time.monotonic()
        status = await worker.stop()

        # A second for the end of the process itself: a grace period of drain timeout and a little more is enough.
        assert (status, time.monotonic() - began < DRAIN + 1.0) == (0, True)
        verdict = await scene.conclude("a signal")
    assert len(verdict.uncertain) == 10


@pytest.mark.pain(20)
async def test_two_hundred_reconnects_leave_no_task_and_no_memory_behind(
    trial: Trial, broker_url: str, prefix: str
) -> None:
    warm_up, rounds = 40, trial.size.of(160, 1_000)
    async with simulated_endpoint() as simulator, proxy_to(broker_url) as proxy:
        settings = quick_settings(with_address(broker_url, port=proxy.port), prefix, simulator.base_url, trial.folder)
        soon = settings.model_copy(update={"broker": settings.broker.model_copy(update={"reconnect_cap": 0.02})})
        async with worker_at_work(soon) as running:
            await reconnect(running, proxy, warm_up)
            tasks, memory = len(asyncio.all_tasks()), resident_memory()
            await reconnect(running, proxy, rounds)

            await until(lambda: no_more_tasks_than(tasks), f"no more tasks than {tasks}")
            assert resident_memory() - memory < 10 * MIB
            assert proxy.open == len(LinkRole)
            async with open_requester(broker_url, prefix) as requester:
                await requester.send(body_of("a cat"), "r0")
                (reply,) = await replies_of(requester, 1)
    assert reply.body["status"] == "submitted"


async def reconnect(running: Running, proxy: TcpProxy, times: int) -> None:
    """Cut both connections, wait until both are up and the consumer is confirmed; again and again."""
    facts = running.facts.facts
    for _ in range(times):
        facts.clear()
        proxy.cut()
        await running.facts.until(
            lambda: (
                {LinkUp(role, first=False) for role in LinkRole} <= set_of_links(running)
                and ConsumerActive(active=True) in facts
            ),
            guard=30,
        )


def set_of_links(running: Running) -> set[LinkUp]:
    return set(running.facts.of(LinkUp))


def resident_memory() -> int:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def cpu_seconds(pid: int) -> float:
    """Read the CPU time of a process, user and system, from fields 14 and 15 of proc(5) stat."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def ten_in_flight(endpoint: EndpointProcess) -> bool:
    return await endpoint.in_flight() == 10


async def holds(broker_url: str, queue: str, count: int) -> bool:
    async with amqp_client(broker_url) as amqp:
        return await amqp.count(queue) == count


async def no_more_tasks_than(count: int) -> bool:
    return len(asyncio.all_tasks()) <= count
