"""Which reaction meets the first, second, … POST of one request, and how far each request has come."""

from collections import OrderedDict
from dataclasses import dataclass

from service.simulator.reaction import ACCEPT, Reaction

REMEMBERED_REQUESTS = 100_000
"""How many requests keep their place in a script; the longest unseen is forgotten first."""


@dataclass(frozen=True, slots=True)
class Step:
    """A reaction and how often it is repeated; None: once, or for ever where it is the last step."""

    reaction: Reaction
    times: int | None = None


@dataclass(frozen=True, slots=True)
class Script:
    """Steps in order. After a last step with a count, requests are accepted."""

    steps: tuple[Step, ...]

    def reaction_to(self, call: int) -> Reaction:
        """Choose the reaction to the POST with this index, 0 being the first."""
        last = self.steps[-1]
        for step in self.steps:
            if step is last and step.times is None:
                return step.reaction
            call -= step.times or 1
            if call < 0:
                return step.reaction
        return ACCEPT


class ScriptPlaces:
    """Counts the POSTs of each request that has a script."""

    def __init__(self, limit: int = REMEMBERED_REQUESTS) -> None:
        self._limit = limit
        self._seen: OrderedDict[str, int] = OrderedDict()

    def advance(self, identity: str, script: Script) -> Reaction:
        """Choose the reaction for this POST and move the request one place on."""
        call = self._seen.pop(identity, 0)
        self._seen[identity] = call + 1
        if len(self._seen) > self._limit:
            self._seen.popitem(last=False)
        return script.reaction_to(call)

    def forget(self) -> None:
        """Let every script begin anew."""
        self._seen.clear()
