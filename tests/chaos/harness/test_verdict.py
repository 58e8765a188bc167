"""The judge must be able to condemn: each broken promise is found, and an innocent run is not."""

from datetime import UTC, datetime

import pytest

from tests.chaos.harness.verdict import Doubt, Post, Told, Verdict, judge

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DONE = Told("submitted", "t1")
UNKNOWN = Told("failed", code="uncertain")
REFUSED = Told("failed", code="unavailable")


def post(
    label: str, *, accepted: bool = False, could_be: bool = False, task_id: str | None = None, name: str = "r1"
) -> Post:
    return Post(name, NOW, label, accepted, could_be, task_id)


ACCEPTED = post("accepted", accepted=True, could_be=True, task_id="t1")
ABANDONED = post("abandoned", accepted=True, could_be=True, task_id="t1")
THROTTLED = post("throttled")


def judged(told: list[Told], posts: list[Post]) -> Verdict:
    return judge(["r1"], {"r1": told} if told else {}, posts)


@pytest.mark.parametrize(
    ("told", "posts"),
    [
        pytest.param([DONE], [ACCEPTED], id="accepted"),
        pytest.param([DONE, DONE], [ACCEPTED], id="told twice"),
        pytest.param([DONE], [THROTTLED, ACCEPTED], id="refused for now, then accepted"),
        pytest.param([UNKNOWN], [ABANDONED], id="cut"),
        pytest.param([REFUSED], [THROTTLED], id="never accepted"),
        pytest.param([Told("failed", code="invalid_request")], [], id="never called"),
    ],
)
def test_a_run_that_keeps_its_promises_gives_no_cause_for_complaint(told: list[Told], posts: list[Post]) -> None:
    assert judged(told, posts).complaints() == []


@pytest.mark.parametrize(
    ("told", "posts", "complaint"),
    [
        pytest.param([], [], "have no result", id="lost"),
        pytest.param([DONE], [ACCEPTED, ACCEPTED], "accepted more than once", id="paid twice"),
        pytest.param([DONE], [ABANDONED, ACCEPTED], "called again after", id="called again after a cut"),
        pytest.param([UNKNOWN], [post("cut", could_be=True), THROTTLED], "called again after", id="called again"),
        pytest.param([DONE, UNKNOWN], [ACCEPTED], "contradict", id="contradiction"),
        pytest.param([DONE, Told("submitted", "t2")], [ACCEPTED], "contradict", id="two task ids"),
        pytest.param([Told("submitted", "t9")], [ACCEPTED], "gives the lie", id="wrong task id"),
        pytest.param([DONE], [], "gives the lie", id="submitted without a call"),
        pytest.param([REFUSED], [ACCEPTED], "gives the lie", id="paid and told as refused"),
        pytest.param([REFUSED], [ABANDONED], "gives the lie", id="in doubt and told as refused"),
        pytest.param([UNKNOWN], [], "no reason", id="uncertain without a call"),
        pytest.param([UNKNOWN], [ACCEPTED], "no reason", id="uncertain though answered"),
    ],
)
def test_a_broken_promise_is_complained_of(told: list[Told], posts: list[Post], complaint: str) -> None:
    complaints = judged(told, posts).complaints()

    assert any(complaint in each for each in complaints)


def test_a_result_that_nobody_asked_for_is_complained_of() -> None:
    verdict = judge(["r1"], {"r1": [DONE], "r2": [REFUSED]}, [ACCEPTED])

    assert verdict.strangers == ("r2",)
    assert len(verdict.complaints()) == 1


def test_a_worker_that_outlived_its_lease_may_contradict_but_not_pay_again() -> None:
    told = {"r1": [UNKNOWN, DONE]}

    assert judge(["r1"], told, [ACCEPTED]).complaints(outlived={"r1"}, deaths_explain=1) == []
    assert judge(["r1"], told, [ACCEPTED, ACCEPTED]).complaints(outlived={"r1"}, deaths_explain=1) != []


def test_a_death_explains_as_many_doubts_as_it_may_have_left() -> None:
    verdict = judge(["r1", "r2"], {"r1": [UNKNOWN], "r2": [UNKNOWN]}, [ACCEPTED])

    assert verdict.complaints(deaths_explain=2) == []
    assert verdict.complaints(deaths_explain=1) != []


@pytest.mark.parametrize(
    ("posts", "doubt"),
    [
        ([ABANDONED], Doubt.CUT),
        ([post("broken", could_be=True)], Doubt.CUT),
        ([ACCEPTED], Doubt.ANSWERED),
        ([THROTTLED], Doubt.UNCALLED),
        ([], Doubt.UNCALLED),
    ],
)
def test_a_doubt_is_named_by_what_the_endpoint_knows(posts: list[Post], doubt: Doubt) -> None:
    assert judged([UNKNOWN], posts).uncertain == {"r1": doubt}
