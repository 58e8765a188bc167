"""All that one run of the bench found."""

from dataclasses import dataclass, field

from tests.bench.growth import Slice
from tests.bench.machine import Machine
from tests.bench.plan import KEY
from tests.bench.rate import RateTrial
from tests.bench.rivals import Rival
from tests.bench.start import Starts
from tests.bench.trial import Measured


@dataclass(slots=True)
class Findings:
    """What was not asked for stays empty. `growth` is by the name of what grows."""

    machine: Machine
    throughput: list[Measured] = field(default_factory=list)
    rate: list[RateTrial] = field(default_factory=list)
    growth: dict[str, list[Measured]] = field(default_factory=dict)
    long_run: list[Slice] = field(default_factory=list)
    starts: Starts | None = None

    def of(self, rival: Rival, in_flight: int, latency: float) -> list[Measured]:
        """Give the rounds of one rival in one cell, in order."""
        return [
            each
            for each in self.throughput
            if (each.rival, each.in_flight, each.latency) == (rival, in_flight, latency)
        ]

    def grown(self, what: str) -> dict[tuple[Rival, int], list[Measured]]:
        """Give the rounds by rival and by how far it grew."""
        rounds: dict[tuple[Rival, int], list[Measured]] = {}
        for each in sorted(self.growth[what], key=lambda each: (list(Rival).index(each.rival), getattr(each, what))):
            rounds.setdefault((each.rival, getattr(each, what)), []).append(each)
        return rounds

    def key(self, rival: Rival) -> list[Measured]:
        return self.of(rival, *KEY)
