"""Workers are killed with SIGKILL at random instants, under load, and started again."""

import asyncio
from collections.abc import Iterable
from datetime import datetime, timedelta

import pytest

from tests.chaos.harness.ledgers import LedgerPlace
from tests.chaos.harness.scene import Scene, open_scene
from tests.chaos.harness.traffic import requests
from tests.chaos.harness.trial import Trial
from tests.chaos.harness.verdict import Doubt, Verdict
from tests.chaos.harness.worker import CALL_LIMIT, WorkerProcess

CONCURRENCY = 12
LATENCY, SPREAD = 0.3, 0.2
FAULTS = {"429": 0.04, "503": 0.04, "reset": 0.005, "accept-then-504": 0.005}
# A busy machine reads late what a dead process sent, and kills late.
SLACK = timedelta(seconds=1.5)

pytestmark = pytest.mark.timeout(3600)


async def test_kills_at_random_instants_lose_nothing_and_pay_for_nothing_twice(
    trial: Trial, broker_url: str, ledger: LedgerPlace
) -> None:
    # Once for each ledger.
    count, kills = trial.size.of(1_200, 10_000), trial.size.of(24, 200)
    async with open_scene(
        trial, broker_url, ledger.name, latency=LATENCY, latency_spread=SPREAD, error_rates=FAULTS
    ) as scene:
        places = [scene.place(ledger.url, VIDEOGEN_WORKER__CONCURRENCY=str(CONCURRENCY)) for _ in range(2)]
        await asyncio.gather(*(place.start() for place in places))
        publishing = asyncio.create_task(scene.traffic.publish(requests(count)))
        await kill_now_and_then(scene, places, count, kills)
        await publishing

        verdict = await scene.conclude(f"{kills} kills", silence=120, deaths_explain=kills * CONCURRENCY)
        assert without_cause(verdict, [instant for place in places for instant in place.kills]) == []


async def kill_now_and_then(scene: Scene, places: list[WorkerProcess], count: int, kills: int) -> None:
    """Spread the kills over the run: each after a random number of results, and a random part of a call later."""
    chance = scene.trial.random
    for answered in sorted(chance.sample(range(int(count * 0.9)), kills)):
        assert await scene.traffic.until_answered(answered, silence=60), "no results come any more"
        place = chance.choice(places)
        await place.consuming()
        # Not a wait for anything: this is the random instant.
        await asyncio.sleep(chance.uniform(0, LATENCY + SPREAD))
        await place.kill()
        await place.start()


def without_cause(verdict: Verdict, kills: Iterable[datetime]) -> list[str]:
    """Name uncertain requests whose last call no fault of the endpoint made doubtful and no kill could have cut."""
    instants = list(kills)
    called = {name: verdict.calls[name][-1] for name in verdict.uncertain if verdict.calls.get(name)}
    cut = {
        name: post.at
        for name, post in called.items()
        if post.label == "abandoned" or verdict.uncertain[name] is Doubt.ANSWERED
    }
    longest = timedelta(seconds=CALL_LIMIT) + SLACK
    return [name for name, at in cut.items() if not any(-SLACK <= kill - at <= longest for kill in instants)]
