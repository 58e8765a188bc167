"""The way to the broker, and the broker itself, fail again and again under load."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from service.private_broker import Node
from tests.chaos.harness.scene import Scene, open_scene
from tests.chaos.harness.traffic import request, requests
from tests.chaos.harness.trial import Trial
from tests.chaos.harness.waiting import until
from tests.chaos.harness.worker import WorkerProcess
from tests.support.links import proxy_to, with_address
from tests.support.tcp_proxy import TcpProxy, Way

HEARTBEAT = 2
RECOVERY = 60.0

pytestmark = pytest.mark.timeout(1800)


def ledger_of(trial: Trial) -> str:
    return f"sqlite:///{trial.folder}/ledger.db"


async def test_faults_of_both_connections_lose_nothing_and_pay_for_nothing_twice(trial: Trial, broker_url: str) -> None:
    count, duration = trial.size.of(600, 8_000), trial.size.of(20.0, 300.0)
    async with (
        proxy_to(broker_url) as proxy,
        open_scene(trial, broker_url, "sqlite", latency=0.3, latency_spread=0.3) as scene,
    ):
        worker = await scene.worker(
            ledger_of(trial),
            broker_url=with_address(broker_url, port=proxy.port),
            VIDEOGEN_WORKER__CONCURRENCY="24",
            VIDEOGEN_BROKER__HEARTBEAT=f"{HEARTBEAT}s",
        )
        await scene.traffic.publish(requests(count))
        faults = await play_faults(trial, proxy, duration)
        await until(lambda: is_ready(worker), "ready again once it is calm", RECOVERY)
        await flows(scene, worker, "after-all")

        verdict = await scene.conclude(f"{faults} link faults", silence=120)
    assert verdict.uncertain == {}
    assert verdict.submitted == count + 1


async def play_faults(trial: Trial, proxy: TcpProxy, duration: float) -> int:
    """Do one thing after another to all connections through `proxy`, then leave it in order; tell how many."""
    chance = trial.random
    kinds: dict[str, Callable[[], Awaitable[None]]] = {
        "cut": lambda: cut(proxy),
        "cut in mid-frame": lambda: cut_after(proxy, chance.randint(1, 5_000), chance.choice([*Way])),
        "one-way": lambda: swallow(proxy, chance.randint(0, 2_000), chance.choice([*Way])),
        "slow": lambda: delay(proxy, chance.uniform(0.05, 0.6), chance.uniform(0.5, 2.0)),
        "frozen": lambda: freeze(proxy, chance.uniform(0.3, 2.5 * HEARTBEAT)),
        "refused": lambda: refuse(proxy, chance.uniform(0.2, 1.5)),
    }
    # Each kind comes in each round, so that a short run has them all.
    count, round_of_kinds = 0, chance.sample([*kinds], len(kinds))
    ends = asyncio.get_running_loop().time() + duration
    while asyncio.get_running_loop().time() < ends:
        await kinds[round_of_kinds.pop()]()
        count += 1
        # The random instant of the next fault, also while the links come back from this one.
        await asyncio.sleep(chance.uniform(0.1, 1.5))
        round_of_kinds = round_of_kinds or chance.sample([*kinds], len(kinds))
    return count


async def cut(proxy: TcpProxy) -> None:
    proxy.cut()


async def cut_after(proxy: TcpProxy, count: int, way: Way) -> None:
    proxy.cut_after(count, way)


async def swallow(proxy: TcpProxy, after: int, way: Way) -> None:
    proxy.swallow(way, after)


async def delay(proxy: TcpProxy, by: float, seconds: float) -> None:
    proxy.delay(by)
    await asyncio.sleep(seconds)
    proxy.delay(0)


async def freeze(proxy: TcpProxy, seconds: float) -> None:
    proxy.freeze()
    await asyncio.sleep(seconds)
    proxy.thaw()


async def refuse(proxy: TcpProxy, seconds: float) -> None:
    proxy.close_listening()
    proxy.cut()
    await asyncio.sleep(seconds)
    await proxy.open_listening()


@pytest.mark.pain(5)
async def test_after_each_restart_and_a_freeze_of_the_broker_a_message_flows(trial: Trial, node: Node) -> None:
    ends = trial.random.sample([node.stop, node.stop, node.stop, node.kill, node.kill], 5)
    async with open_scene(trial, node.url, "sqlite") as scene:
        worker = await scene.worker(ledger_of(trial), VIDEOGEN_BROKER__HEARTBEAT=f"{HEARTBEAT}s")
        for number, end in enumerate(ends):
            await end()
            await until(lambda: is_unready(worker), "readiness tells that the broker is gone")
            await node.start()
            await flows(scene, worker, f"after-restart-{number}")
        loop = asyncio.get_running_loop()
        async with frozen(node):
            began = loop.time()
            await until(lambda: is_unready(worker), "readiness tells that the broker is silent")
            assert loop.time() - began > 3 * HEARTBEAT
        await flows(scene, worker, "after-freeze")

        await scene.conclude("5 restarts, 1 freeze")


@pytest.mark.pain(10)
async def test_under_a_memory_alarm_no_call_starts_and_afterwards_all_are_answered(trial: Trial, node: Node) -> None:
    count = trial.size.of(300, 2_000)
    async with open_scene(trial, node.url, "sqlite", latency=0.2, latency_spread=0.1) as scene:
        worker = await scene.worker(ledger_of(trial), VIDEOGEN_WORKER__CONCURRENCY="16")
        await scene.traffic.publish(requests(count))
        assert await scene.traffic.until_answered(count // 10, silence=30)
        async with memory_alarm(node):
            await until(lambda: is_paused_for_the_broker(worker), "readiness tells of the alarm")
            await until(lambda: is_idle(scene), "the calls under way end")
            before = await scene.endpoint.count()
            paused = await worker.metric('videogen_consumption_paused{reason="broker"}')
            # Longer than patience: what waited in hand has been given back meanwhile.
            await asyncio.sleep(3.0)
            assert (await scene.endpoint.count(), paused) == (before, 1.0)
            assert before < count
        await until(lambda: is_ready(worker), "ready again after the alarm", RECOVERY)

        verdict = await scene.conclude("memory alarm")
    assert verdict.submitted == count


async def flows(scene: Scene, worker: WorkerProcess, name: str) -> None:
    """Let one more request through, while the worker says that it is ready."""
    await scene.traffic.publish([request(name)])
    assert await scene.traffic.until_told(name, silence=RECOVERY), f"no result for {name}"
    await until(lambda: is_ready(worker), f"ready {name}", RECOVERY)


@asynccontextmanager
async def frozen(node: Node) -> AsyncIterator[None]:
    """Stop the broker's process in its tracks; its sockets stay open."""
    pid = int((await node.run_ctl("eval", "io:format(os:getpid()).")).split("ok")[0].strip())
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@asynccontextmanager
async def memory_alarm(node: Node) -> AsyncIterator[None]:
    await node.run_ctl("set_vm_memory_high_watermark", "absolute", "1")
    try:
        yield
    finally:
        await node.run_ctl("set_vm_memory_high_watermark", "0.4")


async def is_ready(worker: WorkerProcess) -> bool:
    return (await worker.readiness())[0] == 200


async def is_unready(worker: WorkerProcess) -> bool:
    return (await worker.readiness())[0] == 503


async def is_paused_for_the_broker(worker: WorkerProcess) -> bool:
    status, text = await worker.readiness()
    return status == 503 and "paused (broker)" in text


async def is_idle(scene: Scene) -> bool:
    return await scene.endpoint.in_flight() == 0
