"""Random faults: a share of all POSTs meets each of the given reactions."""

from collections.abc import Iterator, Mapping

from service.simulator.directives import DirectiveError, parse_script
from service.simulator.reaction import Reaction

ANY_FAULT = "any"
"""Stands for all of `FAULTS`, each with the same part of the share."""

FAULTS = (
    "429",
    "429 retry-after=1",
    "503",
    "500",
    "html 500",
    "502",
    "504",
    "reset-before",
    "reset",
    "close-before",
    "close",
    "accept-then-502",
    "accept-then-504",
    "200 no-task-id",
    "hang",
)
"""What can happen to a call that nobody did wrong (spec section 3), as steps of the directive language."""


class Mishaps:
    """Reactions and their shares of 1; the keys are steps of the directive language (`"html 502"`), or `any`.

    Raises:
        ValueError: a key is no single step without a count, or the shares are not within 0 to 1 in sum.
    """

    def __init__(self, rates: Mapping[str, float]) -> None:
        if any(not 0 <= share <= 1 for share in rates.values()) or sum(rates.values()) > 1 + 1e-9:
            raise ValueError(f"error rates must be shares from 0 to 1, at most 1 in sum; got {dict(rates)}")
        self._reactions = tuple(
            (share, single_reaction(step, f"error rate {step!r}")) for step, share in _spread(rates)
        )

    def draw(self, u: float) -> Reaction | None:
        """Choose by `u`, uniform in [0, 1); None: no mishap."""
        for share, reaction in self._reactions:
            u -= share
            if u < 0:
                return reaction
        return None


def _spread(rates: Mapping[str, float]) -> Iterator[tuple[str, float]]:
    for step, share in rates.items():
        if step == ANY_FAULT:
            yield from ((fault, share / len(FAULTS)) for fault in FAULTS)
        else:
            yield step, share


def single_reaction(text: str, what: str) -> Reaction:
    """Read one step of the directive language.

    Raises:
        ValueError: it is none, or has a count; the message begins with `what`.
    """
    try:
        script = parse_script(text)
    except DirectiveError as error:
        raise ValueError(f"{what}: {error}") from error
    if len(script.steps) != 1 or script.steps[0].times is not None:
        raise ValueError(f"{what}: name one step without a count, for instance 429 or reset")
    return script.steps[0].reaction
