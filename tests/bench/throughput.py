"""All rivals in all cells, in turns, so that whatever else the machine does meets them alike."""

from collections.abc import AsyncIterator

from tests.bench.plan import CROWD, KEY, Plan
from tests.bench.rivals import Rival
from tests.bench.stage import Stage
from tests.bench.trial import Measured, measure

Turn = tuple[Rival, int, float]

_IN_THE_CROWD = (Rival.SQLITE, Rival.BARE)
"""Who is measured there as often: the worker as it is by default, and what shows the limits of the machine."""


def turns(plan: Plan) -> list[Turn]:
    """List who is measured where, in order. The promises are about rounds of these."""
    cells = plan.cells()
    first = [
        turn
        for _ in range(plan.repeat)
        for turn in [
            *((rival, *KEY) for rival in plan.rivals if KEY in cells),
            *((rival, *CROWD) for rival in plan.rivals if CROWD in cells and rival in _IN_THE_CROWD),
        ]
    ]
    if not plan.everywhere:
        return first
    return first + [
        (rival, *cell) for cell in cells for rival in plan.rivals if not set(first).intersection([(rival, *cell)])
    ]


async def throughput(stage: Stage, plan: Plan) -> AsyncIterator[Measured]:
    """Give one figure after the other."""
    for rival, in_flight, latency in turns(plan):
        stage.say(f"{rival.called}: {in_flight} in flight, {latency:g} s latency")
        yield await measure(stage, rival, plan.cell(rival, in_flight, latency))
