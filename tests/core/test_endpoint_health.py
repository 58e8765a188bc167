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
from service.core.drain import Drain
from service.core.endpoint_health import EndpointHealth
from service.core.facts import ConsumptionPaused, PauseReason
from service.core.gate import Gate
from tests.support.fakes import RecordingObserver

ACCEPTED = Accepted("t")
BLOCKED = Blocked(Answer(401, "InvalidApiKey"))
FORBIDDEN = RefusedForGood(Answer(403), forbidden=True)
NOT_SENT = NotSent(NotSentReason.REFUSED, Answer())
REJECTED = RefusedForGood(Answer(400))
THROTTLED = RefusedForNow(Answer(429), throttled=True)
UNCERTAIN = Uncertain(UncertainReason.TIMEOUT, Answer())

OPEN: frozenset[PauseReason] = frozenset()
IS_BLOCKED = frozenset({PauseReason.BLOCKED})
IS_DOWN = frozenset({PauseReason.ENDPOINT_DOWN})


class Scene:
    def __init__(self, down_after: int = 3, doubt_after: int = 100) -> None:
        self.observer = RecordingObserver()
        self.gate = Gate(Drain(), self.observer, patience=1.0)
        self.health = EndpointHealth(self.gate, down_after, doubt_after)

    def calls(self, *results: CallResult) -> frozenset[PauseReason]:
        """Make calls one after the other; tell why the gate is closed then."""
        for result in results:
            self.health.judge(result, self.health.begin())
        return self.gate.closed

    def late(self, epoch: int, *results: CallResult) -> frozenset[PauseReason]:
        """Hear of calls that began in another state of the gate."""
        for result in results:
            self.health.judge(result, epoch)
        return self.gate.closed


def test_a_blocked_account_closes_at_once_and_says_what_to_do() -> None:
    scene = Scene()

    assert scene.calls(BLOCKED) == IS_BLOCKED

    (paused,) = scene.observer.of(ConsumptionPaused)
    assert paused.why == "the endpoint refuses the account (HTTP 401, InvalidApiKey); check key and balance"


def test_four_403_close_nothing_and_the_fifth_closes() -> None:
    scene = Scene()

    assert scene.calls(FORBIDDEN, FORBIDDEN, FORBIDDEN, FORBIDDEN) == OPEN
    assert scene.health.judge(FORBIDDEN, scene.health.begin()) == Blocked(FORBIDDEN.answer)
    assert scene.gate.closed == IS_BLOCKED


def test_a_success_between_them_ends_a_run_of_403() -> None:
    assert Scene().calls(*[FORBIDDEN] * 4, ACCEPTED, *[FORBIDDEN] * 4) == OPEN


def test_a_run_of_calls_that_reached_no_server_closes_and_names_the_reason() -> None:
    scene = Scene(down_after=3)

    assert scene.calls(NOT_SENT, NOT_SENT) == OPEN
    assert scene.calls(NOT_SENT) == IS_DOWN

    (paused,) = scene.observer.of(ConsumptionPaused)
    assert paused.why == "3 calls in a row reached no server (the last one: refused); check the endpoint"


@pytest.mark.parametrize("answer", [ACCEPTED, THROTTLED, REJECTED, FORBIDDEN, UNCERTAIN], ids=repr)
def test_any_answer_in_between_ends_a_run_of_calls_that_reached_no_server(answer: CallResult) -> None:
    assert Scene(down_after=3).calls(NOT_SENT, NOT_SENT, answer, NOT_SENT, NOT_SENT) == OPEN


def test_a_run_of_uncertain_calls_closes_and_names_the_reason() -> None:
    scene = Scene(doubt_after=3)

    assert scene.calls(UNCERTAIN, UNCERTAIN) == OPEN
    assert scene.calls(UNCERTAIN) == IS_DOWN

    (paused,) = scene.observer.of(ConsumptionPaused)
    assert paused.why == (
        "3 calls in a row brought no answer to rely on (the last one: timeout); "
        "check the endpoint and what stands before it"
    )


@pytest.mark.parametrize("answer", [ACCEPTED, THROTTLED, REJECTED, FORBIDDEN], ids=repr)
def test_a_plain_answer_in_between_ends_a_run_of_uncertain_calls(answer: CallResult) -> None:
    assert Scene(doubt_after=3).calls(UNCERTAIN, UNCERTAIN, answer, UNCERTAIN, UNCERTAIN) == OPEN


def test_a_call_that_reached_no_server_does_not_end_a_run_of_uncertain_ones() -> None:
    assert Scene(doubt_after=3).calls(UNCERTAIN, UNCERTAIN, NOT_SENT, UNCERTAIN) == IS_DOWN


def test_a_probe_that_is_uncertain_leaves_a_gate_closed_that_uncertain_calls_had_closed() -> None:
    assert Scene(doubt_after=2).calls(UNCERTAIN, UNCERTAIN, UNCERTAIN) == IS_DOWN
    assert Scene(doubt_after=2).calls(UNCERTAIN, UNCERTAIN, THROTTLED) == OPEN


@pytest.mark.parametrize("result", [ACCEPTED, THROTTLED, REJECTED], ids=repr)
def test_an_answer_that_speaks_for_the_key_opens_a_blocked_gate(result: CallResult) -> None:
    assert Scene().calls(BLOCKED, result) == OPEN


@pytest.mark.parametrize("result", [BLOCKED, FORBIDDEN, UNCERTAIN, NOT_SENT], ids=repr)
def test_an_answer_that_says_nothing_of_the_key_leaves_a_blocked_gate_closed(result: CallResult) -> None:
    assert Scene().calls(BLOCKED, result) == IS_BLOCKED


@pytest.mark.parametrize("result", [ACCEPTED, THROTTLED, REJECTED, FORBIDDEN, UNCERTAIN], ids=repr)
def test_any_answer_tells_that_the_endpoint_is_no_longer_down(result: CallResult) -> None:
    assert Scene(down_after=1).calls(NOT_SENT, result) == OPEN


def test_a_blocked_answer_tells_so_too_and_the_gate_is_never_open_in_between() -> None:
    scene = Scene(down_after=1)

    assert scene.calls(NOT_SENT, BLOCKED) == IS_BLOCKED

    assert [(fact.reason, fact.paused) for fact in scene.observer.of(ConsumptionPaused)] == [
        (PauseReason.ENDPOINT_DOWN, True),
        (PauseReason.BLOCKED, True),
        (PauseReason.ENDPOINT_DOWN, False),
    ]


def test_a_probe_that_reached_no_server_leaves_the_gate_closed() -> None:
    assert Scene(down_after=1).calls(NOT_SENT, NOT_SENT) == IS_DOWN


def test_a_gate_closed_for_another_reason_stays_closed_for_that_one() -> None:
    scene = Scene()
    scene.gate.close(PauseReason.LEDGER, "why")

    assert scene.calls(BLOCKED, ACCEPTED) == {PauseReason.LEDGER}


def test_calls_that_began_before_the_gate_closed_do_not_open_it() -> None:
    scene = Scene()
    before = scene.health.begin()
    scene.calls(BLOCKED)

    assert scene.late(before, ACCEPTED, THROTTLED, REJECTED) == IS_BLOCKED


@pytest.mark.parametrize("late", [[BLOCKED], [NOT_SENT] * 9, [FORBIDDEN] * 9], ids=["blocked", "not sent", "403"])
def test_calls_that_began_before_the_gate_closed_do_not_close_it_again(late: list[CallResult]) -> None:
    scene = Scene()
    before = scene.health.begin()
    scene.calls(BLOCKED, ACCEPTED)

    assert scene.late(before, *late) == OPEN


def test_calls_that_began_before_the_gate_closed_do_not_lengthen_a_run() -> None:
    scene = Scene(down_after=3)
    before = scene.health.begin()
    scene.calls(NOT_SENT, NOT_SENT, NOT_SENT, ACCEPTED)
    scene.late(before, *[NOT_SENT] * 9)

    assert scene.calls(NOT_SENT) == OPEN


def test_results_that_leave_the_gate_as_it_is_leave_the_epoch_too() -> None:
    scene = Scene()
    before = scene.health.begin()

    scene.calls(ACCEPTED, NOT_SENT, REJECTED, UNCERTAIN, THROTTLED)

    assert scene.health.begin() == before


def test_every_call_that_began_is_counted_whatever_it_comes_to() -> None:
    scene = Scene()
    scene.health.begin()

    scene.calls(ACCEPTED, BLOCKED, NOT_SENT)

    assert scene.health.calls == 4
