import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.pending_task import TrackingPolicy, is_given_up, next_wait

POLICY = TrackingPolicy(first=5.0, cap=60.0, lost_after=86_400.0)
ALMOST_ONE = 0.999_999


@pytest.mark.parametrize(
    ("age", "longest", "shortest"), [(0, 5, 5), (20, 5, 5), (40, 10, 8), (200, 50, 40), (240, 60, 48), (80_000, 60, 48)]
)
def test_the_wait_is_a_quarter_of_the_age_less_up_to_a_fifth(age: float, longest: float, shortest: float) -> None:
    assert next_wait(POLICY, age, 0.0) == pytest.approx(longest)
    assert next_wait(POLICY, age, ALMOST_ONE) == pytest.approx(shortest, rel=1e-3)


@given(st.floats(-100, 1e9), st.floats(0, ALMOST_ONE))
def test_no_wait_is_shorter_than_the_first_or_longer_than_the_cap(age: float, u: float) -> None:
    assert POLICY.first <= next_wait(POLICY, age, u) <= POLICY.cap


@given(st.floats(0, 1e6), st.floats(0, 1e6), st.floats(0, ALMOST_ONE))
def test_an_older_task_is_never_asked_for_sooner(one: float, other: float, u: float) -> None:
    assert next_wait(POLICY, min(one, other), u) <= next_wait(POLICY, max(one, other), u)


@pytest.mark.parametrize(
    ("age", "answered", "given_up"),
    [
        (86_399, True, False),
        (86_400, True, True),
        (86_400, False, False),
        (172_799, False, False),
        (172_800, False, True),
    ],
)
def test_a_task_is_given_up_after_its_time_or_twice_that_without_an_answer(
    age: float, *, answered: bool, given_up: bool
) -> None:
    assert is_given_up(POLICY, age, answered=answered) is given_up
