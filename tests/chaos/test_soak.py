"""Many requests with a mix of faults, for leaks: what the worker holds at rest does not grow."""

import json
from random import Random

import pytest

from tests.chaos.harness.footprint import Footprint, footprint
from tests.chaos.harness.scene import Scene, open_scene
from tests.chaos.harness.traffic import MODEL, Request, request
from tests.chaos.harness.trial import Trial

CONCURRENCY = 32
# More refusals than these are taken for a limit now and then, and how long the test takes would be left to chance.
FAULTS = {"429": 0.01, "429 retry-after=1": 0.001, "503": 0.03, "reset": 0.01, "close": 0.005, "accept-then-502": 0.005}
BAD = (b"{", b"\xff", b"[]", json.dumps({"model": MODEL, "prompt": " ", "size": "1x1", "siez": 1}).encode())
# Tasks of the library and of a scrape come and go.
FLUCTUATION = 5
SHARE_OF_BAD = SHARE_OF_DUPLICATES = 0.04

pytestmark = pytest.mark.timeout(3600)


async def test_memory_tasks_threads_and_open_files_stay_flat_under_a_mix_of_faults(
    trial: Trial, broker_url: str
) -> None:
    count, warm_up = trial.size.of(6_000, 50_000), trial.size.of(2_000, 15_000)
    async with open_scene(trial, broker_url, "sqlite", latency=0.02, error_rates=FAULTS) as scene:
        url = f"sqlite:///{trial.folder}/ledger.db"
        worker = await scene.worker(url, VIDEOGEN_WORKER__CONCURRENCY=str(CONCURRENCY))
        messages = mixed(trial.random, count)
        warm = await at_rest(scene, messages[:warm_up], worker.child.pid)
        tasks_warm = await worker.metric("videogen_event_loop_tasks")
        end = await at_rest(scene, messages[warm_up:], worker.child.pid)
        tasks_end = await worker.metric("videogen_event_loop_tasks")

        await scene.conclude("mix", more=measured(warm, end) | {"tasks": tasks_end})
        assert abs(tasks_end - tasks_warm) <= FLUCTUATION
        assert end.threads == warm.threads
        assert end.files <= warm.files + CONCURRENCY
        assert end.rss - warm.rss <= trial.size.of(20.0, 10.0)


async def at_rest(scene: Scene, messages: list[Request], pid: int) -> Footprint:
    """Have `messages` settled and look at the worker."""
    await scene.traffic.publish(messages)
    assert await scene.settled(silence=120)
    return footprint(pid)


def mixed(chance: Random, count: int) -> list[Request]:
    """Make `count` requests, some of them bad, and copies of some a little later in the row."""
    messages = []
    for number in range(count):
        name = f"r{number}"
        bad = chance.random() < SHARE_OF_BAD
        messages.append(Request(name, chance.choice(BAD)) if bad else request(name))
        if chance.random() < SHARE_OF_DUPLICATES:
            messages.append(chance.choice(messages[-100:]))
    return messages


def measured(warm: Footprint, end: Footprint) -> dict[str, float]:
    return {
        "MiB after warm-up": round(warm.rss, 1),
        "MiB at the end": round(end.rss, 1),
        "files after warm-up": warm.files,
        "files at the end": end.files,
        "threads": end.threads,
    }
