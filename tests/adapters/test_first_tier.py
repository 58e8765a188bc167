import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import cycle

import pytest
from typing_extensions import override

from service.adapters.first_tier import FirstTier
from service.core.admission import ConcurrencyLimit
from service.core.call import (
    Accepted,
    Answer,
    Blocked,
    Call,
    CallResult,
    DeadlinePassed,
    Finished,
    GivenBack,
    NotSent,
    NotSentReason,
    Placed,
    RefusedForGood,
    RefusedForNow,
    Uncertain,
    UncertainReason,
)
from service.core.contract import VideoRequest
from service.core.drain import Drain, Draining
from service.core.facts import CallEnded, Fact, RetryPlanned, RetryReason
from service.core.forbidden import ForbiddenStreak
from service.core.retry import OnUncertain, RetryPolicy
from tests.support.fakes import NEW_YEAR, FakeClock, RecordingObserver, ScriptedEndpoint

CALL = Call("request-1", VideoRequest(prompt="a cat", model="wan2.2-t2v-plus"), {})
ANSWER = Answer()
ACCEPTED = Accepted("task-1")
NOT_SENT = NotSent(NotSentReason.REFUSED, ANSWER)
THROTTLED = RefusedForNow(ANSWER, throttled=True)
FORBIDDEN = RefusedForGood(ANSWER, forbidden=True)
UNCERTAIN = Uncertain(UncertainReason.TIMEOUT, ANSWER)
RESEND = RetryPolicy(on_uncertain=OnUncertain.RESEND)


class ClockedDrain(Drain):
    """Waits on the test's clock: a pause is over at once, and the clock has moved on by its length."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self._clock = clock
        self.pauses: list[float] = []

    @override
    async def pause(self, seconds: float) -> None:
        if self.begun:
            raise Draining
        self.pauses.append(seconds)
        self._clock.advance(seconds)


class CountingAdmission:
    """Lets everybody in, counts who is in, and can do something while a request waits for its turn."""

    def __init__(self) -> None:
        self.held = 0
        self.at_the_door: Callable[[], None] = lambda: None

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        self.at_the_door()
        self.held += 1
        try:
            yield
        finally:
            self.held -= 1


@dataclass
class Setting:
    """A first tier and everything around it."""

    endpoint: ScriptedEndpoint
    policy: RetryPolicy = field(default_factory=RetryPolicy)
    draws: tuple[float, ...] = (0.5,)
    clock: FakeClock = field(default_factory=FakeClock)
    admission: CountingAdmission = field(default_factory=CountingAdmission)
    observer: RecordingObserver = field(default_factory=RecordingObserver)
    streak: ForbiddenStreak = field(default_factory=ForbiddenStreak)

    def __post_init__(self) -> None:
        self.drain = ClockedDrain(self.clock)
        draws = cycle(self.draws)
        self.tier = FirstTier(
            endpoint=self.endpoint,
            admission=self.admission,
            drain=self.drain,
            policy=self.policy,
            clock=self.clock,
            observer=self.observer,
            uniform=lambda: next(draws),
            streak=self.streak,
        )

    async def place(self, seconds_left: float | None = None) -> Placed:
        deadline = None if seconds_left is None else NEW_YEAR + timedelta(seconds=seconds_left)
        return await self.tier.place(CALL, deadline)


def scripted(*results: CallResult, policy: RetryPolicy | None = None, draws: tuple[float, ...] = (0.5,)) -> Setting:
    return Setting(ScriptedEndpoint(*results), policy or RetryPolicy(), draws)


@pytest.mark.parametrize(
    "result",
    [ACCEPTED, UNCERTAIN, Blocked(ANSWER), RefusedForGood(ANSWER)],
    ids=lambda result: type(result).__name__,
)
async def test_a_final_result_is_not_repeated(result: CallResult) -> None:
    setting = scripted(result)
    assert await setting.place() == Finished(result, 1)
    assert setting.endpoint.calls == [CALL]


@pytest.mark.parametrize("failure", [NOT_SENT, THROTTLED], ids=lambda result: type(result).__name__)
async def test_a_safe_failure_is_repeated_until_it_succeeds(failure: CallResult) -> None:
    setting = scripted(failure, failure, ACCEPTED)
    assert await setting.place() == Finished(ACCEPTED, 3)


async def test_the_last_of_four_failures_is_the_result() -> None:
    setting = scripted(NOT_SENT, NOT_SENT, NOT_SENT, THROTTLED)
    assert await setting.place() == Finished(THROTTLED, 4)
    assert len(setting.endpoint.calls) == 4


async def test_waits_grow_and_each_is_drawn_once() -> None:
    setting = scripted(NOT_SENT, draws=(0.1, 0.2, 0.3))
    await setting.place()
    assert setting.drain.pauses == pytest.approx([0.1 * 0.5, 0.2 * 1.0, 0.3 * 2.0])


async def test_the_latest_retry_after_is_the_floor() -> None:
    slow, slower = (RefusedForNow(ANSWER, throttled=True, retry_after=wait) for wait in (3.0, 9.0))
    setting = scripted(slow, slower, ACCEPTED)
    await setting.place()
    assert setting.drain.pauses == [3.0, 9.0]


async def test_a_retry_after_beyond_the_budget_ends_the_tier_at_once() -> None:
    refused = RefusedForNow(ANSWER, throttled=True, retry_after=61.0)
    setting = scripted(refused)
    assert await setting.place() == Finished(refused, 1)
    assert setting.drain.pauses == []


async def test_the_budget_counts_the_time_since_the_request_came() -> None:
    refused = RefusedForNow(ANSWER, throttled=True, retry_after=25.0)
    setting = scripted(refused)
    assert await setting.place() == Finished(refused, 3)


async def test_facts_tell_calls_and_planned_retries_in_order() -> None:
    setting = scripted(THROTTLED, ACCEPTED)
    await setting.place()
    expected: list[Fact] = [
        CallEnded("request-1", THROTTLED, 0.0, 1),
        RetryPlanned("request-1", RetryReason.THROTTLED, 0.25, 1),
        CallEnded("request-1", ACCEPTED, 0.0, 2),
    ]
    assert setting.observer.facts == expected


async def test_a_call_is_timed_without_its_wait_for_a_slot() -> None:
    setting = scripted(ACCEPTED)
    setting.admission.at_the_door = lambda: setting.clock.advance(5)
    setting.endpoint.hold()
    placing = asyncio.create_task(setting.place())
    await setting.endpoint.wait_for_calls()
    setting.clock.advance(2)
    setting.endpoint.release()
    await placing
    assert [ended.seconds for ended in setting.observer.of(CallEnded)] == [2.0]


async def test_the_slot_is_held_during_the_call_and_not_during_the_wait() -> None:
    held: list[int] = []
    setting = scripted(NOT_SENT, ACCEPTED)
    setting.admission.at_the_door = lambda: held.append(setting.admission.held)
    setting.endpoint.hold()
    placing = asyncio.create_task(setting.place())
    await setting.endpoint.wait_for_calls()
    assert setting.admission.held == 1
    setting.endpoint.release()
    await placing
    assert held == [0, 0]
    assert setting.admission.held == 0


async def test_a_wait_frees_the_slot_for_another_request() -> None:
    clock, observer, drain = FakeClock(), RecordingObserver(), Drain()
    endpoint = ScriptedEndpoint(RefusedForNow(ANSWER, throttled=True, retry_after=50), ACCEPTED)
    tier = FirstTier(
        endpoint, ConcurrencyLimit(1, drain), drain, RetryPolicy(), clock, observer, lambda: 0.0, ForbiddenStreak()
    )
    waiting = asyncio.create_task(tier.place(CALL, None))
    await observer.wait_for(RetryPlanned)
    assert await tier.place(CALL, None) == Finished(ACCEPTED, 1)
    drain.begin()
    assert await waiting == GivenBack(1)


async def test_a_deadline_that_passes_in_the_queue_prevents_the_call() -> None:
    setting = scripted(ACCEPTED)
    setting.admission.at_the_door = lambda: setting.clock.advance(5)
    assert await setting.place(seconds_left=5) == DeadlinePassed(0)
    assert setting.endpoint.calls == []


async def test_a_deadline_that_passes_before_a_repetition_prevents_it() -> None:
    setting = scripted(NOT_SENT)
    setting.admission.at_the_door = lambda: setting.clock.advance(3)
    assert await setting.place(seconds_left=5) == DeadlinePassed(1)


async def test_a_wait_up_to_the_deadline_is_not_begun() -> None:
    setting = scripted(RefusedForNow(ANSWER, throttled=False, retry_after=5))
    assert isinstance(await setting.place(seconds_left=5), Finished)
    assert setting.drain.pauses == []


async def test_a_drain_before_the_first_call_gives_the_request_back() -> None:
    drain = Drain()
    drain.begin()
    endpoint = ScriptedEndpoint()
    tier = FirstTier(
        endpoint,
        ConcurrencyLimit(1, drain),
        drain,
        RetryPolicy(),
        FakeClock(),
        RecordingObserver(),
        lambda: 0.0,
        ForbiddenStreak(),
    )
    assert await tier.place(CALL, None) == GivenBack(0)
    assert endpoint.calls == []


async def test_a_drain_during_a_call_lets_it_end_and_reports_what_it_came_to() -> None:
    setting = scripted(ACCEPTED)
    setting.endpoint.hold()
    placing = asyncio.create_task(setting.place())
    await setting.endpoint.wait_for_calls()
    setting.drain.begin()
    setting.endpoint.release()
    assert await placing == Finished(ACCEPTED, 1)


async def test_a_drain_during_a_call_that_would_be_repeated_gives_the_request_back() -> None:
    setting = scripted(NOT_SENT)
    setting.endpoint.hold()
    placing = asyncio.create_task(setting.place())
    await setting.endpoint.wait_for_calls()
    setting.drain.begin()
    setting.endpoint.release()
    assert await placing == GivenBack(1)
    assert setting.observer.of(RetryPlanned) == []


async def test_the_fifth_forbidden_request_in_a_row_is_blocked() -> None:
    setting = scripted(FORBIDDEN)
    placed = [await setting.place() for _ in range(5)]
    assert placed == [Finished(FORBIDDEN, 1)] * 4 + [Finished(Blocked(ANSWER), 1)]
    assert [ended.result for ended in setting.observer.of(CallEnded)][-1] == Blocked(ANSWER)


async def test_an_uncertain_call_is_sent_again_only_where_the_policy_resends() -> None:
    assert await scripted(UNCERTAIN, ACCEPTED).place() == Finished(UNCERTAIN, 1)
    assert await scripted(UNCERTAIN, ACCEPTED, policy=RESEND).place() == Finished(ACCEPTED, 2, doubt=True)


async def test_a_doubt_that_was_sent_again_outlives_a_later_refusal() -> None:
    refused = RefusedForGood(ANSWER)
    assert await scripted(UNCERTAIN, refused, policy=RESEND).place() == Finished(refused, 2, doubt=True)


async def test_a_deadline_after_a_doubt_does_not_claim_that_nothing_was_paid_for() -> None:
    setting = scripted(UNCERTAIN, policy=RESEND)
    setting.admission.at_the_door = lambda: setting.clock.advance(3)
    assert await setting.place(seconds_left=5) == Finished(UNCERTAIN, 1)


async def test_a_defect_in_the_endpoint_is_raised_and_frees_the_slot() -> None:
    setting = Setting(ScriptedEndpoint(RuntimeError("a defect")))
    with pytest.raises(RuntimeError, match="a defect"):
        await setting.place()
    assert setting.admission.held == 0


async def test_cancellation_propagates_and_frees_the_slot() -> None:
    setting = scripted(ACCEPTED)
    setting.endpoint.hold()
    placing = asyncio.create_task(setting.place())
    await setting.endpoint.wait_for_calls()
    placing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await placing
    assert setting.admission.held == 0
