import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.call import (
    Answer,
    Blocked,
    FailedCall,
    NotSent,
    NotSentReason,
    RefusedForGood,
    RefusedForNow,
    Uncertain,
    UncertainReason,
)
from service.core.facts import RetryReason
from service.core.retry import Again, OnUncertain, RetryPolicy, Stop, backoff, next_step, retry_reason

ANSWER = Answer()
NOT_SENT = NotSent(NotSentReason.REFUSED, ANSWER)
UNCERTAIN = Uncertain(UncertainReason.TIMEOUT, ANSWER)
POLICY = RetryPolicy()

seconds = st.floats(min_value=0, max_value=1e9)
shares = st.floats(min_value=0, max_value=1, exclude_max=True)
policies = st.builds(
    RetryPolicy,
    attempts=st.integers(1, 100),
    base=seconds,
    cap=seconds,
    budget=seconds,
    on_uncertain=st.sampled_from(OnUncertain),
)
results = st.one_of(
    st.just(NOT_SENT),
    st.just(UNCERTAIN),
    st.builds(RefusedForNow, st.just(ANSWER), st.booleans(), st.none() | seconds),
)


def step(
    result: FailedCall = NOT_SENT,
    policy: RetryPolicy = POLICY,
    attempt: int = 1,
    elapsed: float = 0.0,
    time_left: float | None = None,
    u: float = 0.5,
) -> Again | Stop:
    return next_step(policy, result=result, attempt=attempt, elapsed=elapsed, time_left=time_left, u=u)


def test_the_defaults_are_those_of_the_specification() -> None:
    assert RetryPolicy(4, 0.5, 20.0, 60.0, OnUncertain.PARK) == RetryPolicy()


@pytest.mark.parametrize(("attempt", "ceiling"), [(1, 0.5), (2, 1.0), (3, 2.0), (6, 16.0), (7, 20.0), (50, 20.0)])
def test_the_ceiling_doubles_from_call_to_call_up_to_the_cap(attempt: int, ceiling: float) -> None:
    assert backoff(POLICY, attempt, 1.0) == ceiling


@given(policies, st.integers(1, 10**9), shares)
def test_the_backoff_is_finite_and_never_above_the_cap(policy: RetryPolicy, attempt: int, u: float) -> None:
    wait = backoff(policy, attempt, u)
    assert math.isfinite(wait)
    assert 0 <= wait <= policy.cap


@given(st.integers(1, 2000), shares)
def test_the_jitter_is_full(attempt: int, u: float) -> None:
    assert backoff(POLICY, attempt, u) == u * backoff(POLICY, attempt, 1.0)


@pytest.mark.parametrize(
    ("result", "park", "resend"),
    [
        (NOT_SENT, RetryReason.NOT_SENT, RetryReason.NOT_SENT),
        (RefusedForNow(ANSWER, throttled=True), RetryReason.THROTTLED, RetryReason.THROTTLED),
        (RefusedForNow(ANSWER, throttled=False), RetryReason.REFUSED_FOR_NOW, RetryReason.REFUSED_FOR_NOW),
        (UNCERTAIN, None, RetryReason.UNCERTAIN),
        (RefusedForGood(ANSWER), None, None),
        (RefusedForGood(ANSWER, forbidden=True), None, None),
        (Blocked(ANSWER), None, None),
    ],
)
def test_only_a_call_that_was_not_accepted_is_sent_again(
    result: FailedCall, park: RetryReason | None, resend: RetryReason | None
) -> None:
    assert retry_reason(result, OnUncertain.PARK) is park
    assert retry_reason(result, OnUncertain.RESEND) is resend
    assert isinstance(step(result), Again if park else Stop)


def test_a_wait_the_server_asks_for_is_a_floor() -> None:
    refused = RefusedForNow(ANSWER, throttled=True, retry_after=7.0)
    assert step(refused, u=0.0) == Again(7.0, RetryReason.THROTTLED)


def test_a_backoff_above_the_floor_is_kept() -> None:
    refused = RefusedForNow(ANSWER, throttled=True, retry_after=0.1)
    assert step(refused, u=0.5) == Again(0.25, RetryReason.THROTTLED)


@pytest.mark.parametrize(("attempt", "expected"), [(3, Again), (4, Stop), (5, Stop)])
def test_the_last_attempt_is_not_followed_by_another(attempt: int, expected: type) -> None:
    assert isinstance(step(attempt=attempt), expected)


@pytest.mark.parametrize(("elapsed", "expected"), [(59.75, Again), (59.76, Stop), (1e9, Stop)])
def test_a_wait_that_outlasts_the_budget_is_not_begun(elapsed: float, expected: type) -> None:
    assert isinstance(step(elapsed=elapsed), expected)


@pytest.mark.parametrize(
    ("time_left", "expected"), [(None, Again), (0.26, Again), (0.25, Stop), (0.0, Stop), (-1.0, Stop)]
)
def test_a_wait_that_outlasts_the_deadline_is_not_begun(time_left: float | None, expected: type) -> None:
    assert isinstance(step(time_left=time_left), expected)


@given(policies, results, st.integers(1, 200), seconds, st.none() | seconds, shares)
def test_every_bound_holds_for_every_planned_call(
    policy: RetryPolicy, result: FailedCall, attempt: int, elapsed: float, time_left: float | None, u: float
) -> None:
    planned = step(result, policy, attempt, elapsed, time_left, u)
    if isinstance(planned, Again):
        assert attempt < policy.attempts
        assert elapsed + planned.delay <= policy.budget
        assert time_left is None or planned.delay < time_left
        assert planned.delay >= (result.retry_after or 0 if isinstance(result, RefusedForNow) else 0)
        assert policy.on_uncertain is OnUncertain.RESEND or not isinstance(result, Uncertain)
