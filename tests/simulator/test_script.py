from itertools import repeat

from hypothesis import given
from hypothesis import strategies as st

from service.simulator.reaction import ACCEPT, Reaction
from service.simulator.script import Script, ScriptPlaces, Step

_COUNTED = st.builds(Step, st.builds(Reaction, st.integers(200, 599)), st.integers(1, 5))


def test_a_last_step_without_a_count_is_for_ever() -> None:
    script = Script((Step(Reaction(503)), Step(Reaction(401))))
    assert [script.reaction_to(call).status for call in (0, 1, 2, 1000)] == [503, 401, 401, 401]


def test_after_a_counted_last_step_requests_are_accepted() -> None:
    script = Script((Step(Reaction(429), times=2),))
    assert [script.reaction_to(call).status for call in range(4)] == [429, 429, 200, 200]


@given(st.lists(_COUNTED, min_size=1, max_size=5))
def test_counted_steps_follow_one_another(steps: list[Step]) -> None:
    expected = [reaction for step in steps for reaction in repeat(step.reaction, step.times or 1)] + [ACCEPT]
    script = Script(tuple(steps))
    assert [script.reaction_to(call) for call in range(len(expected))] == expected


def test_each_request_has_its_own_place() -> None:
    places, script = ScriptPlaces(), Script((Step(Reaction(429), times=1),))
    assert [places.advance(identity, script).status for identity in "abab"] == [429, 429, 200, 200]


def test_the_longest_unseen_request_is_forgotten_first() -> None:
    places, script = ScriptPlaces(limit=2), Script((Step(Reaction(429), times=1),))
    assert [places.advance(identity, script).status for identity in "abaca"] == [429, 429, 200, 429, 200]
    assert places.advance("b", script).status == 429
