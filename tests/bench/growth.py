"""What a request costs as queue, body, ledger and time grow."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

from tests.bench.arrivals import Ended
from tests.bench.plan import KEY, Plan
from tests.bench.producer import body
from tests.bench.rivals import Rival, started
from tests.bench.scene import open_scene
from tests.bench.stage import Stage
from tests.bench.trial import Cell, Measured, measure
from tests.bench.window import Sampler

_WARM_UP = 200
_MEASURED = 700
_LIMIT = 60.0
_SLICES = 10
_LARGE = 32_768


@dataclass(frozen=True, slots=True)
class Slice:
    """One tenth of a long run. `requests` is how many were done when it ended."""

    requests: int
    cpu_ms: float
    per_second: float
    memory_mib: float


def growing(plan: Plan) -> Iterator[tuple[str, Rival, Cell]]:
    """List what is measured: what grows, who, and the cell."""
    ours = Rival.SQLITE
    # Beside the bare loop, because what the broker takes longer for costs its consumer CPU as well.
    for backlog in plan.backlogs:
        for rival in (ours, Rival.BARE):
            yield "backlog", rival, Cell(*KEY, _WARM_UP, _MEASURED, _LIMIT, backlog=backlog)
    for size in plan.body_sizes:
        # Broker and disk have more to carry; fewer are enough.
        measured = _MEASURED // 2 if size > _LARGE else _MEASURED
        for rival in (ours, Rival.BARE):
            yield "body_size", rival, Cell(*KEY, _WARM_UP, measured, _LIMIT, body_size=size)
    for rows in plan.ledger_rows:
        yield "ledger_rows", ours, Cell(*KEY, _WARM_UP, _MEASURED, _LIMIT, ledger_rows=rows)


async def growth(stage: Stage, plan: Plan) -> AsyncIterator[tuple[str, Measured]]:
    """Give one figure after the other, in rounds, each with the name of what grows."""
    for _ in range(plan.growth_repeat):
        for what, rival, cell in growing(plan):
            value = getattr(cell, what)
            stage.say(f"{rival.called}: {what.replace('_', ' ')} {value:,}")
            yield what, await measure(stage, rival, cell)


async def long_run(stage: Stage, plan: Plan) -> list[Slice]:
    """Work on one long queue, and look at each tenth of it."""
    if not plan.long_run:
        return []
    stage.say(f"{Rival.SQLITE.called}: {plan.long_run:,} requests in one run")
    ends = [plan.long_run * number // _SLICES for number in range(1, _SLICES + 1)]
    async with open_scene(stage) as scene:
        await scene.producer.preload(plan.long_run + KEY[0], body())
        async with started(stage, Rival.SQLITE, scene.queues, scene.endpoint.base_url, KEY[0]) as process:
            sampler = Sampler(process.pid, scene.arrivals, _WARM_UP, *ends)
            ended = await scene.arrivals.wait_for(ends[-1], limit=plan.long_run / 50, silence=15.0)
            if ended is not Ended.ALL:
                raise RuntimeError(f"the long run ended after {len(scene.arrivals.times)} results:\n{process.tail}")
    return [
        Slice(window.end.results, window.cpu_ms, window.per_second, window.end.memory / 2**20)
        for window in sampler.windows
    ]
