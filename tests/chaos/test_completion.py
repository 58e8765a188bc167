"""Workers that follow tasks are killed with SIGKILL: the end of every task that was told as accepted is told too."""

import asyncio

import pytest

from tests.chaos.harness.ledgers import LedgerPlace
from tests.chaos.harness.scene import open_scene
from tests.chaos.harness.traffic import requests
from tests.chaos.harness.trial import Trial
from tests.chaos.harness.worker import LEASE
from tests.chaos.test_kill import kill_now_and_then

CONCURRENCY = 12
TRACKING = {
    "VIDEOGEN_TRACKING__ENABLED": "true",
    "VIDEOGEN_TRACKING__MAX_RPS": "100",
    "VIDEOGEN_TRACKING__FIRST": "200ms",
    "VIDEOGEN_TRACKING__CAP": "500ms",
}

pytestmark = pytest.mark.timeout(600)


async def test_killed_workers_lose_the_end_of_no_task(trial: Trial, broker_url: str, ledger: LedgerPlace) -> None:
    count, kills = trial.size.of(300, 2_000), trial.size.of(8, 60)
    async with open_scene(trial, broker_url, ledger.name, latency=0.1, latency_spread=0.1) as scene:
        settings = {**TRACKING, "VIDEOGEN_WORKER__CONCURRENCY": str(CONCURRENCY)}
        places = [scene.place(ledger.url, **settings) for _ in range(2)]
        await asyncio.gather(*(place.start() for place in places))
        asked = requests(count, "a cat [sim: task-seconds=0.5]")
        publishing = asyncio.create_task(scene.traffic.publish(asked))
        await kill_now_and_then(scene, places, count, kills)
        await publishing
        assert await scene.settled(silence=60)
        accepted = {each.task_id for told in scene.traffic.told.values() for each in told if each.task_id}
        # What a killed worker was asking for comes due when its lease is over.
        assert await scene.traffic.until_completed(accepted, silence=10 * LEASE)

        await scene.conclude(f"{kills} kills, tasks followed", deaths_explain=kills * CONCURRENCY)
        ends = {task_id: set(scene.traffic.completed[task_id]) for task_id in accepted}
        assert {task_id: end for task_id, end in ends.items() if end != {"succeeded"}} == {}
