"""How a task of the simulated endpoint ends, and when."""

import math
from dataclasses import dataclass
from enum import StrEnum

USUAL_REASON = "the upstream could not make the video"


class TaskEnd(StrEnum):
    """What the query tells in the end. `MISSING`: from the start that there is no such task."""

    SUCCEEDS = "succeeds"
    FAILS = "fails"
    STUCK = "stuck"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Fate:
    """The end of a task. `after` is seconds, and None stands for those of all tasks; `reason` is that of a failure."""

    end: TaskEnd = TaskEnd.SUCCEEDS
    after: float | None = None
    reason: str = ""

    def seconds(self, usual: float) -> float:
        """Tell for how long the task runs."""
        if self.end is TaskEnd.STUCK:
            return math.inf
        return usual if self.after is None else self.after


DEFAULT = Fate()
