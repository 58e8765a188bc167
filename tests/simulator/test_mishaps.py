import pytest

from service.simulator.mishaps import FAULTS, Mishaps
from service.simulator.reaction import Ending, Reaction


@pytest.mark.parametrize(
    ("u", "expected"),
    [
        (0.0, Reaction(429)),
        (0.099, Reaction(429)),
        (0.1, Reaction(ending=Ending.RESET)),
        (0.299, Reaction(ending=Ending.RESET)),
        (0.31, None),
        (0.999, None),
    ],
)
def test_each_fault_gets_its_share(u: float, expected: Reaction | None) -> None:
    assert Mishaps({"429": 0.1, "reset": 0.2}).draw(u) == expected


def test_any_spreads_its_share_over_every_fault() -> None:
    mishaps = Mishaps({"any": 0.5})
    drawn = {mishaps.draw(0.5 * (number + 0.5) / len(FAULTS)) for number in range(len(FAULTS))}
    assert len(drawn) == len(FAULTS)
    assert None not in drawn
    assert mishaps.draw(0.51) is None


def test_any_goes_with_other_faults() -> None:
    assert Mishaps({"any": 0.5, "401": 0.5}).draw(0.75) == Reaction(401)


def test_without_rates_nothing_happens() -> None:
    assert Mishaps({}).draw(0.0) is None


@pytest.mark.parametrize("rates", [{"429": -0.1}, {"429": 1.1}, {"429": 0.6, "503": 0.6}, {"429": float("nan")}])
def test_shares_that_are_none_are_refused(rates: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="shares from 0 to 1"):
        Mishaps(rates)


def test_an_unknown_fault_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="error rate 'rst': the word 'rst' is not known"):
        Mishaps({"rst": 0.1})


@pytest.mark.parametrize("step", ["429 x2", "429 then 503"])
def test_a_fault_is_one_step_without_a_count(step: str) -> None:
    with pytest.raises(ValueError, match="one step without a count"):
        Mishaps({step: 0.1})
