"""CPU, rate and memory of a process between two results."""

import time
from dataclasses import dataclass

from tests.bench.accounting import cpu_seconds, memory
from tests.bench.arrivals import Arrivals


@dataclass(frozen=True, slots=True)
class Sample:
    """What was so when a result arrived. `memory` is bytes."""

    results: int
    at: float
    cpu: float
    memory: int


@dataclass(frozen=True, slots=True)
class Window:
    """From one sample to a later one."""

    begin: Sample
    end: Sample

    @property
    def requests(self) -> int:
        return self.end.results - self.begin.results

    @property
    def per_second(self) -> float:
        return self.requests / (self.end.at - self.begin.at)

    @property
    def cpu_ms(self) -> float:
        return 1000 * (self.end.cpu - self.begin.cpu) / self.requests

    @property
    def cores(self) -> float:
        return (self.end.cpu - self.begin.cpu) / (self.end.at - self.begin.at)


class Sampler:
    """Takes a sample in the moment in which the result of a wanted number arrives."""

    def __init__(self, pid: int, results: Arrivals, *wanted: int) -> None:
        self._pid = pid
        self._results = results
        self.samples: list[Sample] = []
        for count in sorted(set(wanted)):
            results.at(count, self.sample)

    def sample(self) -> None:
        """Take one now, as of the latest result."""
        at = self._results.times[-1] if self._results.times else time.monotonic()
        self.samples.append(Sample(len(self._results.times), at, cpu_seconds(self._pid), memory(self._pid)))

    @property
    def windows(self) -> list[Window]:
        return [Window(*pair) for pair in zip(self.samples, self.samples[1:], strict=False)]
