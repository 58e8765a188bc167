"""Random faults: a share of all POSTs meets each of the given reactions."""

from collections.abc import Mapping

from service.simulator.directives import DirectiveError, parse_script
from service.simulator.reaction import Reaction


class Mishaps:
    """Reactions and their shares of 1; the keys are steps of the directive language (`"html 502"`).

    Raises:
        ValueError: a key is no single step without a count, or the shares are not within 0 to 1 in sum.
    """

    def __init__(self, rates: Mapping[str, float]) -> None:
        if any(not 0 <= share <= 1 for share in rates.values()) or sum(rates.values()) > 1 + 1e-9:
            raise ValueError(f"error rates must be shares from 0 to 1, at most 1 in sum; got {dict(rates)}")
        self._reactions = tuple((share, _single_reaction(step)) for step, share in rates.items())

    def draw(self, u: float) -> Reaction | None:
        """Choose by `u`, uniform in [0, 1); None: no mishap."""
        for share, reaction in self._reactions:
            u -= share
            if u < 0:
                return reaction
        return None


def _single_reaction(text: str) -> Reaction:
    try:
        script = parse_script(text)
    except DirectiveError as error:
        raise ValueError(f"error rate {text!r}: {error}") from error
    if len(script.steps) != 1 or script.steps[0].times is not None:
        raise ValueError(f"error rate {text!r}: name one step without a count, for instance 429 or reset")
    return script.steps[0].reaction
