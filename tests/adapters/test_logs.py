import pytest

from service.adapters.logs import LogObserver
from service.core.call import Accepted, Answer, Blocked, NotSent, NotSentReason
from service.core.contract import FieldProblem
from service.core.facts import (
    Advice,
    BrokerBlocked,
    CallEnded,
    CallPrevented,
    ConsumerActive,
    ConsumptionPaused,
    DefectFound,
    Fact,
    KeyChanged,
    LinkDown,
    LinkRole,
    LinkUp,
    LoopLag,
    PaceChanged,
    PauseReason,
    Probing,
    PublishAttempt,
    Published,
    Received,
    RecordMissing,
    RetryPlanned,
    RetryReason,
    SettlementAbandoned,
)
from service.core.ledger import SubmittedRecord
from service.core.outcome import Invalid, Postponed, Rejected, Repeated, Withdrawn
from tests.adapters.every_fact import AT, EVERY_FACT, HISTORY, KEY, PASSWORD, PROMPT, TIER, failure
from tests.adapters.log_lines import SUBMITTED, Log, settled

pytestmark = pytest.mark.usefixtures("restored_logging")


@pytest.mark.parametrize("fact", EVERY_FACT, ids=lambda fact: type(fact).__name__)
@pytest.mark.parametrize("log_format", ["json", "console"])
def test_no_fact_brings_a_payload_or_a_secret_into_the_log(fact: Fact, log_format: str) -> None:
    log = Log(log_format=log_format)
    LogObserver().notify(fact)
    assert PROMPT not in log.text
    assert KEY not in log.text
    assert PASSWORD not in log.text


def test_a_submitted_request_is_one_line_with_its_task_id() -> None:
    (line,) = Log().after(settled(SUBMITTED))
    del line["timestamp"], line["logger"]
    assert line == {
        "event": "request settled",
        "level": "info",
        "request_id": "request-1",
        "correlation_id": "correlation-1",
        "seconds": 1.235,
        "outcome": "submitted",
        "attempts": 2,
        "task_id": "task-1",
        "model": "wan2.2-t2v-plus",
    }


def test_a_refused_request_shows_status_and_code_of_the_endpoint() -> None:
    (line,) = Log().after(settled(Rejected(Answer(400, "InvalidParameter", "words"), 1)))
    assert (line["outcome"], line["http_status"], line["upstream_code"]) == ("rejected", 400, "InvalidParameter")


def test_an_invalid_request_names_the_fields_of_the_contract_alone() -> None:
    problems = tuple(FieldProblem(field=field, message="wrong") for field in ("size", "seed", "a secret wish"))
    (line,) = Log().after(settled(Invalid(problems)))
    assert (line["problems"], line["fields"]) == (3, ["seed", "size"])


def test_a_redelivered_and_parked_result_says_so() -> None:
    (line,) = Log().after(settled(SUBMITTED, redelivered=True, parked=True))
    assert line["redelivered"] is True
    assert line["parked"] is True


def test_a_paid_task_that_nobody_was_told_of_is_named_at_error() -> None:
    (line,) = Log(level="error").after(SettlementAbandoned("request-1", SUBMITTED))
    assert (line["level"], line["request_id"], line["task_id"]) == ("error", "request-1", "task-1")


def test_a_defect_is_an_error_with_its_frames() -> None:
    (line,) = Log(level="error").after(DefectFound("request-1", failure()))
    assert (line["level"], line["request_id"]) == ("error", "request-1")
    assert "in failure" in line["exception"]
    assert "builtins.ValueError" in line["exception"]


def test_an_accepted_call_shows_its_task_id_before_anything_else_can_go_wrong() -> None:
    (line,) = Log().after(CallEnded("request-1", Accepted("task-1"), 0.5, 1))
    assert (line["level"], line["result"], line["task_id"]) == ("debug", "accepted", "task-1")


@pytest.mark.parametrize("level", ["debug", "info"])
def test_why_there_is_no_connection_is_told_once_with_calls_in_detail_or_without(level: str) -> None:
    cut = CallEnded("request-1", NotSent(NotSentReason.DNS, Answer(message="no such host; check the name")), 0.5, 1)
    lines = Log(level=level).after(cut, cut)
    assert [line["why"] for line in lines if line["level"] == "warning"] == ["no such host; check the name"]


def test_nothing_is_told_in_detail_above_debug() -> None:
    steps = (
        Received(redelivered=False, at=AT, queue_wait=None),
        CallEnded("request-1", Accepted("task-1"), 0.5, 1),
        Published(PublishAttempt.CONFIRMED, 0.1, is_result=True),
    )
    assert Log(level="info").after(*steps) == []


def test_a_lost_link_says_why_and_when_the_next_try_is() -> None:
    (line,) = Log().after(LinkDown(LinkRole.CONSUME, f"login refused for {PASSWORD}", 1.5))
    assert (line["level"], line["role"], line["retry_in"]) == ("warning", "consume", 1.5)
    assert line["reason"] == "login refused for ***"


@pytest.mark.parametrize(
    ("fact", "level"),
    [
        (settled(SUBMITTED), "info"),
        (RetryPlanned("request-1", RetryReason.THROTTLED, 1.0, 1), "info"),
        (CallPrevented("request-1", in_doubt=True), "info"),
        (RecordMissing("request-1", None), "error"),
        (ConsumptionPaused(PauseReason.LEDGER, paused=True, why="why"), "warning"),
        (ConsumptionPaused(PauseReason.LEDGER, paused=False), "info"),
        (Probing("request-1", 10.0), "info"),
        (KeyChanged(), "info"),
        (Advice("choose another"), "warning"),
        (LinkUp(LinkRole.PUBLISH, first=True), "info"),
        (ConsumerActive(active=True), "info"),
        (ConsumerActive(active=False), "warning"),
        (BrokerBlocked(blocked=True), "warning"),
        (BrokerBlocked(blocked=False), "info"),
        (LoopLag(1.0), "warning"),
        (CallEnded("request-1", Blocked(Answer(401)), 0.5, 1), "debug"),
        (Published(PublishAttempt.CONFIRMED, 0.1, is_result=True), "debug"),
        (Published(PublishAttempt.RETURNED, 0.1, is_result=True), "debug"),
        (Published(PublishAttempt.LOST, 0.1, is_result=True), "debug"),
        (Published(PublishAttempt.NACKED, 0.1, is_result=False), "warning"),
        (Published(PublishAttempt.TIMEOUT, 0.1, is_result=False), "warning"),
        (Received(redelivered=False, at=AT, queue_wait=None), "debug"),
    ],
)
def test_each_fact_has_its_level(fact: Fact, level: str) -> None:
    (line,) = Log().after(fact)
    assert line["level"] == level


def test_a_duplicate_shows_the_task_that_was_paid_for() -> None:
    (line,) = Log().after(settled(Repeated(SubmittedRecord("task-0", "model", 3, AT))))
    assert (line["outcome"], line["task_id"], line["model"], line["attempts"]) == ("duplicate", "task-0", "model", 0)


def test_a_postponed_request_shows_its_tier_and_the_calls_so_far() -> None:
    (line,) = Log().after(settled(Postponed(TIER, HISTORY)))
    assert (line["outcome"], line["tier"], line["attempts"]) == ("postponed", "10s", 3)


def test_a_withdrawn_request_shows_the_calls_so_far() -> None:
    (line,) = Log().after(settled(Withdrawn(HISTORY)))
    assert (line["outcome"], line["attempts"]) == ("interrupted", 3)


def test_a_paid_task_that_the_ledger_does_not_know_yet_is_named() -> None:
    (line,) = Log(level="error").after(RecordMissing("request-1", "task-1"))
    assert (line["request_id"], line["task_id"]) == ("request-1", "task-1")


def test_a_pause_says_why_and_names_no_secret() -> None:
    (line,) = Log().after(ConsumptionPaused(PauseReason.BROKER, paused=True, why=f"login refused for {PASSWORD}"))
    assert (line["reason"], line["why"]) == ("broker", "login refused for ***")


def test_advice_is_told_in_full() -> None:
    (line,) = Log().after(Advice("the ledger is none: choose another"))
    assert (line["event"], line["text"]) == ("advice", "the ledger is none: choose another")


@pytest.mark.parametrize("attempt", [PublishAttempt.NACKED, PublishAttempt.TIMEOUT])
def test_a_queue_that_does_not_take_a_message_says_how_and_after_how_long(attempt: PublishAttempt) -> None:
    (line,) = Log().after(Published(attempt, 1.23456, is_result=False))
    assert (line["event"], line["attempt"], line["seconds"]) == ("a queue did not take a message", attempt, 1.235)


def test_a_limit_is_one_line_when_it_is_met_and_one_when_it_is_over() -> None:
    met, over = Log().after(
        PaceChanged(20.04, 21),
        PaceChanged(17.0, 18),
        PaceChanged(19.0, 20),
        PaceChanged(None, 64),
        PaceChanged(None, 64),
    )
    assert (met["event"], met["level"]) == ("the endpoint limits calls: fewer start", "info")
    assert (met["rate"], met["concurrency"]) == (20.0, 21)
    assert (over["event"], over["level"]) == ("the endpoint limits calls no more", "info")


def test_a_short_lag_is_not_worth_a_line() -> None:
    assert Log().after(LoopLag(0.9)) == []
