"""What is measured, by size."""

import math
from dataclasses import dataclass
from enum import StrEnum

from tests.bench.rivals import Rival
from tests.bench.trial import Cell

KEY = (64, 0.0)
"""In flight and latency of the cell that the promises on CPU are for."""
CROWD = (2000, 2.0)
"""Those of the cell that the promises on calls in flight are for."""

_SERVICE_TIME = 0.01
"""Seconds that a request takes beside its call, about."""
_SLOWEST = 0.01
"""Seconds of CPU that a rival may take to begin a call; the first wave has to be begun before anything is measured."""
_STEADY_RATE = 100.0
_USUAL_RATE, _SLOW_RATE = 700.0, 150.0
"""Requests per second that a rival may do; wrong ones cost time, or precision."""


class Size(StrEnum):
    """`quick`: minutes, to see that it works and where things stand. `full`: the report."""

    QUICK = "quick"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class Plan:
    """Times are seconds. `repeat` rounds are for the cells of promises; all others are measured once, or not at all."""

    rivals: tuple[Rival, ...]
    in_flight: tuple[int, ...]
    latencies: tuple[float, ...]
    everywhere: bool
    repeat: int
    count: int | None
    measured_seconds: float
    cell_limit: float
    steady_seconds: float
    rate_limits: tuple[float, ...]
    rate_workers: tuple[int, ...]
    rate_phase: float
    rate_shared: float
    growth_repeat: int
    backlogs: tuple[int, ...]
    body_sizes: tuple[int, ...]
    ledger_rows: tuple[int, ...]
    long_run: int
    starts: int

    def cells(self) -> list[tuple[int, float]]:
        """List all in flight and latency, those of promises first."""
        first = [cell for cell in (KEY, CROWD) if cell[0] in self.in_flight and cell[1] in self.latencies]
        others = [(many, slow) for slow in self.latencies for many in self.in_flight]
        return first + [cell for cell in others if cell not in first]

    def cell(self, rival: Rival, in_flight: int, latency: float) -> Cell:
        """Say how long a cell is measured: whole waves of calls, and three at least."""
        usual = _SLOW_RATE if rival is Rival.FASTSTREAM else _USUAL_RATE
        rate = min(usual, in_flight / (latency + _SERVICE_TIME))
        warm_up = max(in_flight, min(300, math.ceil(rate)))
        measured = self.count or in_flight * max(1, math.ceil(rate * self.measured_seconds / in_flight))
        steady_rate = min(_STEADY_RATE, in_flight / (latency + _SERVICE_TIME) / 2)
        steady = math.floor(steady_rate * self.steady_seconds)
        limit = self.cell_limit + _SLOWEST * in_flight
        return Cell(in_flight, latency, warm_up, measured, limit, steady, steady_rate)


def plan_for(size: Size) -> Plan:
    everyone = tuple(Rival)
    match size:
        case Size.FULL:
            return Plan(
                rivals=everyone,
                in_flight=(1, 64, 512, 2000),
                latencies=(0.0, 0.2, 2.0),
                everywhere=True,
                repeat=5,
                count=None,
                measured_seconds=4.0,
                cell_limit=25.0,
                steady_seconds=3.0,
                rate_limits=(20.0, 100.0, 300.0),
                rate_workers=(1, 4),
                rate_phase=40.0,
                rate_shared=130.0,
                growth_repeat=3,
                backlogs=(1_000, 10_000, 100_000),
                body_sizes=(0, 4096, 65536, 250_000),
                ledger_rows=(0, 100_000, 1_000_000),
                long_run=60_000,
                starts=5,
            )
        case Size.QUICK:
            return Plan(
                rivals=everyone,
                in_flight=(KEY[0], CROWD[0]),
                latencies=(KEY[1], CROWD[1]),
                everywhere=False,
                repeat=1,
                count=None,
                measured_seconds=2.0,
                cell_limit=12.0,
                steady_seconds=2.0,
                rate_limits=(100.0,),
                rate_workers=(4,),
                rate_phase=30.0,
                rate_shared=30.0,
                growth_repeat=1,
                backlogs=(1_000, 10_000),
                body_sizes=(0, 65536),
                ledger_rows=(),
                long_run=0,
                starts=3,
            )
