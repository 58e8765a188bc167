"""The ledger goes away under load: no call is made that is not on record, and all goes on when it is back."""

import asyncio
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest

from service.core.ledger import Found, SubmittedRecord
from service.private_broker import Node
from tests.chaos.harness.full_disk import disk_that_can_be_full
from tests.chaos.harness.ledgers import names_in_file, records
from tests.chaos.harness.scene import Scene, open_scene
from tests.chaos.harness.traffic import requests
from tests.chaos.harness.trial import Trial
from tests.chaos.harness.verdict import Verdict
from tests.chaos.harness.waiting import until
from tests.chaos.harness.worker import WorkerProcess
from tests.support.private_redis import RedisServer
from tests.support.tcp_proxy import TcpProxy

CONCURRENCY = 16
LATENCY = 0.3
AWAY = 10.0
# A claim that was on record in time may still become a call, as soon as the loop comes to it.
UNDER_WAY = timedelta(seconds=1.0)

pytestmark = pytest.mark.timeout(900)


@pytest.mark.parametrize("fault", ["killed", "frozen"])
async def test_while_redis_is_away_no_call_starts_and_afterwards_every_request_is_answered(
    fault: str, trial: Trial, broker_url: str, redis_server: RedisServer
) -> None:
    count = trial.size.of(500, 4_000)
    leave, come_back = (
        (redis_server.kill, redis_server.start) if fault == "killed" else (redis_server.freeze, redis_server.thaw)
    )
    async with redis_proxy(redis_server) as proxy, open_scene(trial, broker_url, "redis", latency=LATENCY) as scene:
        url = f"redis://127.0.0.1:{proxy.port}/0"
        worker = await scene.worker(url, VIDEOGEN_WORKER__CONCURRENCY=str(CONCURRENCY))
        publishing = asyncio.create_task(scene.traffic.publish(requests(count)))
        await scene.traffic.until_answered(trial.random.randrange(50, 150), silence=60)
        await asyncio.to_thread(leave)
        gone = datetime.now(UTC)
        await until(lambda: says_why_it_is_not_ready(worker), "/readyz tells of the ledger")
        # The length of the outage is what is tried here: longer than every patience.
        await asyncio.sleep(AWAY)
        assert await says_why_it_is_not_ready(worker)
        back = datetime.now(UTC)
        # The worker must not get to tell what it owes before we have looked.
        proxy.close_listening()
        proxy.cut()
        await asyncio.to_thread(come_back)
        called = await names_of_calls(scene)
        assert [name for name, found in (await on_record(scene, redis_server.url, called)).items() if not found] == []
        await proxy.open_listening()
        await until(lambda: is_ready(worker), "the worker is ready again")
        await publishing

        verdict = await scene.conclude(f"redis {fault} for {AWAY:.0f} s")
        assert calls_between(verdict, gone + UNDER_WAY, back) == []
        assert verdict.submitted == count
        assert await not_on_record(scene, redis_server.url, verdict) == []


async def test_while_the_disk_is_full_no_call_lacks_a_record_and_afterwards_every_request_is_answered(
    trial: Trial, broker_url: str
) -> None:
    count = trial.size.of(300, 4_000)
    async with open_scene(trial, broker_url, "sqlite", latency=LATENCY) as scene:
        with disk_that_can_be_full(trial.folder / "disk", lambda: scene.workers[0].child.pid) as disk:
            url = f"sqlite:///{disk.folder}/ledger.db"
            worker = await scene.worker(url, VIDEOGEN_WORKER__CONCURRENCY=str(CONCURRENCY))
            await scene.traffic.publish(requests(count))
            # Early, while every record makes the file longer.
            await scene.traffic.until_answered(trial.random.randrange(10, 60), silence=60)
            disk.fill()
            await until(lambda: says_why_it_is_not_ready(worker), "/readyz tells of the ledger")
            await asyncio.sleep(AWAY / 2)
            # A record may find room now and then, in what SQLite gives back; then a call may follow it.
            called = await names_of_calls(scene)
            assert called - names_in_file(disk.folder / "ledger.db") == set()
            disk.free()
            await until(lambda: is_ready(worker), "the worker is ready again")

            verdict = await scene.conclude(disk.kind)
            assert verdict.submitted == count
            assert await not_on_record(scene, url, verdict) == []


async def test_without_a_ledger_one_process_pays_for_nothing_twice_over_broker_restarts(
    trial: Trial, node: Node
) -> None:
    count, restarts = trial.size.of(300, 2_000), trial.size.of(2, 5)
    async with open_scene(trial, node.url, "none", latency=LATENCY) as scene:
        await scene.worker("none", VIDEOGEN_WORKER__CONCURRENCY=str(CONCURRENCY))
        await scene.traffic.publish(requests(count))
        for _ in range(restarts):
            more = scene.traffic.answered + trial.random.randrange(20, 100)
            await scene.traffic.until_answered(more, silence=60)
            await node.kill()
            await node.start()

        verdict = await scene.conclude(f"{restarts} broker restarts", silence=120)
        assert verdict.submitted == count


def redis_proxy(server: RedisServer) -> TcpProxy:
    return TcpProxy("127.0.0.1", urlsplit(server.url).port or 6379)


async def says_why_it_is_not_ready(worker: WorkerProcess) -> bool:
    status, text = await worker.readiness()
    return status == 503 and "paused (ledger)" in text


async def is_ready(worker: WorkerProcess) -> bool:
    status, _ = await worker.readiness()
    return status == 200


def calls_between(verdict: Verdict, begin: datetime, end: datetime) -> list[str]:
    return [name for name, posts in verdict.calls.items() if any(begin < post.at < end for post in posts)]


async def names_of_calls(scene: Scene) -> set[str]:
    return {post.request_id for post in await scene.endpoint.posts()}


async def on_record(scene: Scene, url: str, names: Collection[str]) -> dict[str, Found]:
    return await records(url, scene.topology.prefix, names)


async def not_on_record(scene: Scene, url: str, verdict: Verdict) -> list[str]:
    """Name requests whose task id the ledger does not have: what it could not take, it must be told later."""
    paid = {name: posts[-1].task_id for name, posts in verdict.calls.items()}
    found = await on_record(scene, url, paid)
    known = {name: record.task_id for name, record in found.items() if isinstance(record, SubmittedRecord)}
    return [name for name, task_id in paid.items() if known.get(name) != task_id]
