import pytest

from tests.bench.plan import CROWD, KEY, Plan, Size, plan_for
from tests.bench.rivals import Rival
from tests.bench.throughput import turns

CELLS = [(in_flight, latency) for in_flight in (1, 64, 512, 2000) for latency in (0.0, 0.2, 2.0)]


@pytest.fixture(scope="module")
def plan() -> Plan:
    return plan_for(Size.FULL)


@pytest.mark.parametrize("rival", Rival)
@pytest.mark.parametrize(("in_flight", "latency"), CELLS)
def test_whole_waves_are_measured_between_a_first_and_a_last_one(
    plan: Plan, rival: Rival, in_flight: int, latency: float
) -> None:
    cell = plan.cell(rival, in_flight, latency)
    assert cell.warm_up >= in_flight
    assert cell.measured % in_flight == 0
    assert cell.preload == cell.warm_up + cell.measured + in_flight


@pytest.mark.parametrize(("in_flight", "latency"), CELLS)
def test_the_trickle_asks_for_half_of_what_calls_in_flight_allow(plan: Plan, in_flight: int, latency: float) -> None:
    steady_rate = plan.cell(Rival.BARE, in_flight, latency).steady_rate
    assert steady_rate <= 100
    assert steady_rate * latency <= in_flight / 2


def test_rounds_of_the_promises_are_in_turns(plan: Plan) -> None:
    of_the_key_cell = [rival for rival, *cell in turns(plan) if tuple(cell) == KEY]
    assert of_the_key_cell == [*Rival] * 5
    in_the_crowd = [rival for rival, *cell in turns(plan) if tuple(cell) == CROWD]
    assert in_the_crowd[:10] == [Rival.SQLITE, Rival.BARE] * 5


def test_the_quick_size_measures_what_promises_are_about_and_no_more() -> None:
    quick = turns(plan_for(Size.QUICK))
    assert {tuple(cell) for _, *cell in quick} == {KEY, CROWD}
    assert [rival for rival, *cell in quick if tuple(cell) == KEY] == [*Rival]


def test_every_rival_is_in_every_cell(plan: Plan) -> None:
    assert set(turns(plan)) == {(rival, *cell) for rival in Rival for cell in CELLS}
