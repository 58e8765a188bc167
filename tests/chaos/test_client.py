"""Clients ask while links are cut and the broker is started again: each call resolves once, none is paid twice."""

import asyncio

import pytest

from service.client import Options, Replies, Request, Submitted, VideogenClient
from service.client.inbox import Answer
from service.private_broker import Node
from tests.chaos.harness.scene import Scene, open_scene
from tests.chaos.harness.traffic import MODEL
from tests.chaos.harness.trial import Trial
from tests.chaos.harness.verdict import Told, judge
from tests.support.links import proxy_to, with_address
from tests.support.tcp_proxy import TcpProxy, Way

SILENCE = 120.0
_STOPS = 0.5

pytestmark = pytest.mark.timeout(1800)


@pytest.mark.parametrize("replies", [*Replies])
async def test_each_call_of_a_client_resolves_once_and_none_is_paid_twice(
    replies: Replies, trial: Trial, node: Node
) -> None:
    count, restarts = 1_000, trial.size.of(2, 5)
    async with (
        proxy_to(node.url) as proxy,
        open_scene(trial, node.url, "sqlite", latency=0.2, latency_spread=0.2) as scene,
    ):
        await scene.worker(
            f"sqlite:///{trial.folder}/ledger.db",
            VIDEOGEN_WORKER__CONCURRENCY="16",
            VIDEOGEN_BROKER__HEARTBEAT="2s",
        )
        options = Options(prefix=scene.topology.prefix, replies=replies, timeout=None, heartbeat=2, reconnect_cap=1.0)
        requests = [Request(prompt="a cat", model=MODEL, request_id=f"r{number}") for number in range(count)]
        answers: list[Answer] = []
        async with VideogenClient(with_address(node.url, port=proxy.port), options) as client:
            for number in range(restarts):
                faults = asyncio.create_task(play_faults(trial, proxy, node))
                answers += await answers_to(client, requests[number::restarts])
                await faults
            assert client.pending == 0

        told: dict[str, list[Told]] = {request.request_id: [] for request in requests}
        for answer in answers:
            told[answer.request_id].append(told_by(answer))
        verdict = judge([*told], {name: each for name, each in told.items() if each}, await scene.endpoint.posts())
        scene.trial.rows.append(
            scene._figures(verdict, f"{restarts} restarts, {2 * restarts} cuts, {replies} replies", {})
        )
        assert verdict.complaints() == []
        assert [name for name, each in told.items() if len(each) != 1] == []
        assert verdict.submitted == count
        assert await statuses(scene) == [0]


async def answers_to(client: VideogenClient, requests: list[Request]) -> list[Answer]:
    """Ask for all; fail where nothing is answered for a long time."""
    answers: list[Answer] = []
    async with asyncio.timeout(SILENCE) as silence:
        async for answer in client.generate_many(requests, concurrency=60):
            answers.append(answer)
            silence.reschedule(asyncio.get_running_loop().time() + SILENCE)
    return answers


async def play_faults(trial: Trial, proxy: TcpProxy, node: Node) -> None:
    """Cut the client's connection in two ways, then stop or kill the broker and start it again."""
    chance = trial.random
    for mid_frame in chance.sample([True, False], 2):
        await asyncio.sleep(chance.uniform(0.2, 0.8))
        if mid_frame:
            proxy.cut_after(chance.randint(1, 3_000), chance.choice([*Way]))
        else:
            proxy.cut()
    await asyncio.sleep(chance.uniform(0.1, 0.5))
    await (node.stop() if chance.random() < _STOPS else node.kill())
    await node.start()


async def statuses(scene: Scene) -> list[int]:
    """Stop the workers and give their exit statuses."""
    return [await worker.stop() for worker in scene.workers]


def told_by(answer: Answer) -> Told:
    if isinstance(answer, Submitted):
        return Told("submitted", answer.task_id)
    return Told("failed", code=getattr(answer, "code_text", type(answer).__name__))
