import pytest

from service.simulator.post import Label, label_for
from service.simulator.reaction import Content, Ending, Reaction


@pytest.mark.parametrize(
    ("reaction", "accepts", "label"),
    [
        (Reaction(), True, Label.ACCEPTED),
        (Reaction(content=Content.BIG), True, Label.ACCEPTED),
        (Reaction(task_id_under="data"), True, Label.ACCEPTED),
        (Reaction(429), False, Label.THROTTLED),
        (Reaction(401), False, Label.REFUSED),
        (Reaction(302), False, Label.BROKEN),
        (Reaction(503), False, Label.BROKEN),
        (Reaction(502, charged=True), True, Label.BROKEN),
        (Reaction(429, charged=True), True, Label.THROTTLED),
        (Reaction(200, code="InternalError"), False, Label.BROKEN),
        (Reaction(200, message="failed"), False, Label.BROKEN),
        (Reaction(200, content=Content.HTML), False, Label.BROKEN),
        (Reaction(content=Content.NO_TASK_ID), True, Label.BROKEN),
        (Reaction(content=Content.TRUNCATED), True, Label.BROKEN),
        (Reaction(503, content=Content.TRUNCATED), False, Label.BROKEN),
        (Reaction(ending=Ending.HALF), True, Label.CUT),
        (Reaction(503, ending=Ending.HALF), False, Label.CUT),
        (Reaction(ending=Ending.CLOSE), True, Label.CUT),
        (Reaction(ending=Ending.RESET), True, Label.CUT),
        (Reaction(ending=Ending.RESET_BEFORE), False, Label.CUT),
    ],
)
def test_what_a_reaction_costs_and_what_the_client_sees(reaction: Reaction, *, accepts: bool, label: Label) -> None:
    assert (reaction.accepts, label_for(reaction)) == (accepts, label)
