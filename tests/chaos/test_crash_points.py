"""A worker is killed between two named steps of one request, and started again."""

from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest

from service.core.ledger import Running, SubmittedRecord
from tests.chaos.harness.ledgers import LedgerPlace
from tests.chaos.harness.scene import Scene, open_scene
from tests.chaos.harness.traffic import request
from tests.chaos.harness.trial import Trial
from tests.chaos.harness.verdict import Doubt
from tests.chaos.harness.waiting import until
from tests.chaos.harness.worker import WorkerProcess
from tests.support.broker import amqp_client
from tests.support.links import proxy_to, with_address
from tests.support.tcp_proxy import TcpProxy, Way

# Where the call is not to end before the test lets it, on a busy machine either.
PATIENT = {"VIDEOGEN_ENDPOINT__TIMEOUT": "10s"}

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
async def scene(trial: Trial, broker_url: str, ledger: LedgerPlace) -> AsyncIterator[Scene]:
    async with open_scene(trial, broker_url, ledger.name) as scene:
        yield scene


@pytest.fixture
async def broker_proxy(broker_url: str) -> AsyncIterator[TcpProxy]:
    async with proxy_to(broker_url) as proxy:
        yield proxy


async def test_killed_before_its_claim_the_request_is_called_by_the_next_run(scene: Scene, ledger: LedgerPlace) -> None:
    worker = await scene.worker(ledger.url)
    async with ledger.blocked():
        await scene.traffic.publish([request("r0")])
        await until(lambda: holds(scene, scene.topology.requests, 0), "the worker has the request")
        await worker.kill()
    await again(worker)

    verdict = await scene.conclude("killed before the claim")
    assert (verdict.submitted, len(verdict.calls["r0"])) == (1, 1)


async def test_killed_after_its_claim_the_request_is_in_doubt_and_never_called(
    scene: Scene, ledger: LedgerPlace
) -> None:
    async with TcpProxy("127.0.0.1", urlsplit(scene.endpoint.base_url).port or 0) as proxy:
        worker = await scene.worker(ledger.url, base_url=f"http://127.0.0.1:{proxy.port}")
        proxy.freeze()
        await scene.traffic.publish([request("r0")])
        await until(lambda: is_known_as(scene, ledger, Running), "the claim is on record")
        await worker.kill()
        await forget(proxy)
        await again(worker)

        verdict = await scene.conclude("killed after the claim", deaths_explain=1)
    assert verdict.uncertain == {"r0": Doubt.UNCALLED}


async def test_killed_in_mid_call_the_request_is_in_doubt_and_not_called_again(
    scene: Scene, ledger: LedgerPlace
) -> None:
    worker = await scene.worker(ledger.url)
    await a_call_is_held(scene)
    await worker.kill()
    await scene.endpoint.release(for_good=True)
    await again(worker)

    verdict = await scene.conclude("killed in mid-call")
    assert verdict.uncertain == {"r0": Doubt.CUT}


async def test_killed_before_the_answer_is_on_record_the_request_is_in_doubt(scene: Scene, ledger: LedgerPlace) -> None:
    worker = await scene.worker(ledger.url, VIDEOGEN_LOG__LEVEL="debug", VIDEOGEN_ENDPOINT__TIMEOUT="4s")
    await a_call_is_held(scene)
    async with ledger.blocked():
        await scene.endpoint.release(for_good=True)
        await worker.child.says("call ended")
        await worker.kill()
    await again(worker)

    verdict = await scene.conclude("killed before the record", deaths_explain=1)
    assert verdict.uncertain == {"r0": Doubt.ANSWERED}


async def test_killed_before_the_result_is_published_the_next_run_publishes_it(
    scene: Scene, ledger: LedgerPlace, broker_proxy: TcpProxy
) -> None:
    through = with_address(scene.broker_url, port=broker_proxy.port)
    worker = await scene.worker(ledger.url, broker_url=through, **PATIENT)
    await a_call_is_held(scene)
    broker_proxy.freeze()
    await scene.endpoint.release(for_good=True)
    await until(lambda: is_known_as(scene, ledger, SubmittedRecord), "the task id is on record")
    await worker.kill()
    await forget(broker_proxy)
    await again(worker)

    verdict = await scene.conclude("killed before the publish")
    assert (verdict.submitted, verdict.repeated) == (1, 0)


async def test_killed_before_the_ack_the_result_is_repeated_with_the_same_task_id(
    scene: Scene, ledger: LedgerPlace, broker_proxy: TcpProxy
) -> None:
    through = with_address(scene.broker_url, port=broker_proxy.port)
    worker = await scene.worker(ledger.url, broker_url=through, **PATIENT)
    await a_call_is_held(scene)
    # The result reaches the broker, its confirm never reaches the worker.
    broker_proxy.swallow(Way.TO_CLIENT)
    await scene.endpoint.release(for_good=True)
    assert await scene.traffic.all_answered(silence=30)
    await worker.kill()
    await again(worker)

    verdict = await scene.conclude("killed before the ack")
    assert (verdict.submitted, verdict.repeated) == (1, 1)


async def test_killed_between_move_and_ack_two_copies_make_one_paid_call(
    scene: Scene, ledger: LedgerPlace, broker_proxy: TcpProxy
) -> None:
    through = with_address(scene.broker_url, port=broker_proxy.port)
    worker = await scene.worker(ledger.url, broker_url=through, VIDEOGEN_RETRY__ATTEMPTS="1", **PATIENT)
    await a_call_is_held(scene, "[sim: hold 503 retry-after=3 then 200]")
    broker_proxy.swallow(Way.TO_CLIENT)
    await scene.endpoint.release(for_good=True)
    longest = scene.topology.retry_queue(scene.topology.tiers[-1])
    await until(lambda: holds(scene, longest, 1), "the copy is in the wait queue")
    await worker.kill()
    await again(worker)

    verdict = await scene.conclude("killed before the ack of a move")
    assert (verdict.submitted, verdict.repeated) == (1, 1)
    assert [post.accepted for post in verdict.calls["r0"]] == [False, True]


async def again(worker: WorkerProcess) -> None:
    await worker.start()
    await worker.consuming()


async def forget(proxy: TcpProxy) -> None:
    """Drop what a frozen proxy holds back, and let new connections through."""
    proxy.cut()
    proxy.thaw()
    await proxy.idle()


async def a_call_is_held(scene: Scene, directive: str = "[sim: hold]") -> None:
    await scene.traffic.publish([request("r0", f"a cat {directive}")])
    await scene.endpoint.until_in_flight(1)


async def holds(scene: Scene, queue: str, count: int) -> bool:
    async with amqp_client(scene.broker_url) as amqp:
        return await amqp.count(queue) == count


async def is_known_as(scene: Scene, ledger: LedgerPlace, what: type[Running | SubmittedRecord]) -> bool:
    return isinstance(await ledger.find(scene.topology.prefix, "r0"), what)
