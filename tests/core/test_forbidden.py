import pytest

from service.core.call import (
    Accepted,
    Answer,
    Blocked,
    CallResult,
    NotSent,
    NotSentReason,
    RefusedForGood,
    RefusedForNow,
    Uncertain,
    UncertainReason,
)
from service.core.forbidden import ForbiddenStreak

ANSWER = Answer(403, None, "not allowed")
FORBIDDEN = RefusedForGood(ANSWER, forbidden=True)
OTHERS: list[CallResult] = [
    NotSent(NotSentReason.REFUSED, ANSWER),
    RefusedForNow(ANSWER, throttled=True),
    RefusedForGood(ANSWER),
    Blocked(ANSWER),
    Uncertain(UncertainReason.TIMEOUT, ANSWER),
]


def judged(*results: CallResult) -> list[CallResult]:
    streak = ForbiddenStreak()
    return [streak.judge(result) for result in results]


def test_four_in_a_row_speak_of_their_requests() -> None:
    assert judged(*[FORBIDDEN] * 4) == [FORBIDDEN] * 4


def test_the_fifth_in_a_row_and_those_after_it_speak_of_the_key() -> None:
    assert judged(*[FORBIDDEN] * 7)[4:] == [Blocked(ANSWER)] * 3


def test_an_accepted_call_ends_the_run() -> None:
    accepted = Accepted("task-1")
    assert judged(*[FORBIDDEN] * 4, accepted, *[FORBIDDEN] * 4) == [*[FORBIDDEN] * 4, accepted, *[FORBIDDEN] * 4]


@pytest.mark.parametrize("other", OTHERS, ids=lambda result: type(result).__name__)
def test_nothing_but_success_ends_the_run(other: CallResult) -> None:
    assert judged(*[FORBIDDEN] * 4, other, FORBIDDEN)[4:] == [other, Blocked(ANSWER)]


@pytest.mark.parametrize("other", OTHERS, ids=lambda result: type(result).__name__)
def test_other_results_do_not_lengthen_the_run(other: CallResult) -> None:
    assert judged(*[other] * 9, FORBIDDEN)[-1] == FORBIDDEN
