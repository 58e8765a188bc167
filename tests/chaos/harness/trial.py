"""One test of the suite: its chance, its size, its folder, its processes and its line in the table."""

import time
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.chaos.harness.child import Child
from tests.chaos.harness.figures import Figures
from tests.chaos.harness.size import Size


@dataclass(slots=True)
class Trial:
    """Given to a test as fixture `trial`. Every random choice comes from `random`."""

    name: str
    seed: int
    size: Size
    folder: Path
    random: Random
    rows: list[Figures]
    children: list[Child] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """How long it has taken so far."""
        return time.monotonic() - self.began

    def log_tails(self) -> list[tuple[str, str]]:
        """Give the last lines of each place of a process, of its latest run."""
        latest = {child.name: child for child in self.children}
        return [(name, "\n".join(child.tail)) for name, child in latest.items()]
