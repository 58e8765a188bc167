"""Workers under a rate limit that halves and doubles: what comes through, what is refused, how soon it settles."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

from tests.bench.endpoint_process import Counts
from tests.bench.goodput import Row, merged, passed, settle_time, unevenness
from tests.bench.plan import Plan
from tests.bench.producer import body
from tests.bench.rivals import Rival, started
from tests.bench.scene import open_scene
from tests.bench.stage import Stage

LATENCY = 0.1
IN_FLIGHT = 64
SETTLING = 10.0
"""Seconds after the first call, from which on goodput counts."""

_FIRST_CALL_LIMIT = 30.0


@dataclass(frozen=True, slots=True)
class RateTrial:
    """One limit for `steady` seconds, then half of it, then all of it again, each for `phase` seconds.

    `goodput` is a share of the limit, `refused` a share of all calls; both from the tenth second of the first phase to
    its end. `after_half` and `after_double` are the seconds until it has settled, None: never. `unevenness` is the
    largest distance of a worker from the mean of all. `series` has, for each second, calls accepted and refused.
    """

    limit: float
    workers: int
    steady: float
    phase: float
    goodput: float
    refused: float
    after_half: float | None
    after_double: float | None
    unevenness: float
    series: list[tuple[float, float]]


async def rate_trials(stage: Stage, plan: Plan) -> AsyncIterator[RateTrial]:
    """Give one after the other."""
    for limit in plan.rate_limits:
        for workers in plan.rate_workers:
            stage.say(f"limit {limit:g}/s, {workers} worker{'s' * (workers > 1)}")
            yield await _trial(stage, limit, workers, plan)


async def _trial(stage: Stage, limit: float, workers: int, plan: Plan) -> RateTrial:
    phase = plan.rate_phase
    # Even shares take longer to find, and to tell.
    steady = plan.rate_shared if workers > 1 else phase
    async with open_scene(stage, latency=LATENCY, rate=limit) as scene, AsyncExitStack() as stack:
        # More than can be worked off: the bucket holds a second's worth, at the start and after each change.
        await scene.producer.preload(round(limit * (steady + 2 * phase + 3)), body())
        for number in range(workers):
            key = f"worker-{number + 1}"
            worker = started(
                stage,
                Rival.SQLITE,
                scene.queues,
                scene.endpoint.base_url,
                IN_FLIGHT,
                VIDEOGEN_ENDPOINT__API_KEY=key,
            )
            await stack.enter_async_context(worker)
        await scene.arrivals.wait_for(1, limit=_FIRST_CALL_LIMIT, silence=_FIRST_CALL_LIMIT)
        began = time.monotonic()
        changes: list[float] = []
        for new_limit in (limit / 2, limit):
            await asyncio.sleep(began + steady + phase * len(changes) - time.monotonic())
            await scene.endpoint.limit(new_limit)
            changes.append(time.monotonic())
        await asyncio.sleep(changes[-1] + phase - time.monotonic())
        return evaluate(await scene.endpoint.counts(), limit, workers, began, changes, phase)


def evaluate(counts: Counts, limit: float, workers: int, began: float, changes: list[float], phase: float) -> RateTrial:
    """Turn the endpoint's record into figures."""
    rows = merged(list(counts.calls.values()))
    halved, doubled = changes
    end = doubled + phase
    steady = passed(rows, began + SETTLING, halved, limit)
    by_worker = [
        sum(yes for at, yes, _ in series if began + SETTLING <= at < halved) for series in counts.calls.values()
    ]
    return RateTrial(
        limit=limit,
        workers=workers,
        steady=halved - began,
        phase=phase,
        goodput=steady.share,
        refused=steady.refused_share,
        after_half=settle_time(rows, halved, doubled, limit / 2),
        after_double=settle_time(rows, doubled, end, limit),
        # A worker that made no call at all has no series.
        unevenness=unevenness(by_worker + [0] * (workers - len(by_worker))),
        series=_by_second(rows, began, end),
    )


def _by_second(rows: list[Row], began: float, end: float) -> list[tuple[float, float]]:
    seconds = int(end - began)
    series = [[0.0, 0.0] for _ in range(seconds)]
    for at, yes, no in rows:
        if 0 <= (second := int(at - began)) < seconds:
            series[second][0] += yes
            series[second][1] += no
    return [(yes, no) for yes, no in series]
