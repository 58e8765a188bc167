import io
import json
import logging
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from aiormq.abc import DeliveredMessage

from service.adapters.logs import LogObserver, configure_logging
from service.core.call import Accepted, Answer, Blocked
from service.core.contract import FieldProblem
from service.core.facts import (
    BrokerBlocked,
    CallEnded,
    ConsumerActive,
    DefectFound,
    DrainStarted,
    Fact,
    LinkDown,
    LinkRole,
    LinkUp,
    LoopLag,
    PublishAttempt,
    Published,
    Received,
    RetryPlanned,
    RetryReason,
    Settled,
    SettlementAbandoned,
)
from service.core.outcome import Invalid, Outcome, Rejected, Submitted
from service.settings import Settings
from tests.adapters.every_fact import AT, EVERY_FACT, KEY, PASSWORD, PROMPT, failure

SUBMITTED = Submitted("task-1", "wan2.2-t2v-plus", 2)


@pytest.fixture(autouse=True)
def global_logging_is_restored() -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger("service")
    handlers, level, our_level = root.handlers, root.level, ours.level
    yield
    logging.captureWarnings(capture=False)
    root.handlers = handlers
    root.setLevel(level)
    ours.setLevel(our_level)
    structlog.reset_defaults()


def settings_with(level: str = "debug", log_format: str = "json") -> Settings:
    return Settings.model_validate(
        {
            "broker": {"url": "amqp://me:sentinel%2Fpass@host"},
            "endpoint": {"base_url": "https://host", "api_key": KEY},
            "log": {"level": level, "format": log_format},
        }
    )


class Log:
    """What was written, as text and as the objects of its lines."""

    def __init__(self, level: str = "debug", log_format: str = "json") -> None:
        self._stream = io.StringIO()
        configure_logging(settings_with(level, log_format), self._stream)

    @property
    def text(self) -> str:
        return self._stream.getvalue()

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]

    def after(self, *facts: Fact) -> list[dict[str, Any]]:
        observer = LogObserver()
        for fact in facts:
            observer.notify(fact)
        return self.lines


def settled(outcome: Outcome, **changes: bool) -> Settled:
    return Settled("request-1", "correlation-1", outcome, 1.23456, **{"redelivered": False, **changes})


def test_a_line_is_one_json_object_with_time_level_event_and_logger() -> None:
    (line,) = Log().after(DrainStarted(3))
    time = line.pop("timestamp")
    assert line == {"event": "drain started", "in_flight": 3, "level": "info", "logger": "service"}
    assert time.endswith("Z")
    assert "T" in time


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


def test_a_lost_link_says_why_and_when_the_next_try_is() -> None:
    (line,) = Log().after(LinkDown(LinkRole.CONSUME, f"login refused for {PASSWORD}", 1.5))
    assert (line["level"], line["role"], line["retry_in"]) == ("warning", "consume", 1.5)
    assert line["reason"] == "login refused for ***"


@pytest.mark.parametrize(
    ("fact", "level"),
    [
        (settled(SUBMITTED), "info"),
        (RetryPlanned("request-1", RetryReason.THROTTLED, 1.0, 1), "info"),
        (LinkUp(LinkRole.PUBLISH, first=True), "info"),
        (ConsumerActive(active=True), "info"),
        (ConsumerActive(active=False), "warning"),
        (BrokerBlocked(blocked=True), "warning"),
        (BrokerBlocked(blocked=False), "info"),
        (LoopLag(1.0), "warning"),
        (CallEnded("request-1", Blocked(Answer(401)), 0.5, 1), "debug"),
        (Published(PublishAttempt.CONFIRMED, 0.1, is_result=True), "debug"),
        (Received(redelivered=False, at=AT, queue_wait=None), "debug"),
    ],
)
def test_each_fact_has_its_level(fact: Fact, level: str) -> None:
    (line,) = Log().after(fact)
    assert line["level"] == level


def test_a_short_lag_is_not_worth_a_line() -> None:
    assert Log().after(LoopLag(0.9)) == []


def test_the_level_is_the_least_severe_that_is_written() -> None:
    lines = Log(level="warning").after(DrainStarted(1), LinkDown(LinkRole.CONSUME, "reset", 1.0))
    assert [line["level"] for line in lines] == ["warning"]


def test_libraries_speak_from_warning_up_in_the_same_format() -> None:
    log = Log(level="debug")
    logging.getLogger("aio_pika").info("chatter")
    logging.getLogger("aio_pika").warning("trouble with %s", "a channel")
    (line,) = log.lines
    assert (line["logger"], line["level"], line["event"]) == ("aio_pika", "warning", "trouble with a channel")


def test_libraries_are_as_quiet_as_the_level_asks() -> None:
    log = Log(level="error")
    logging.getLogger("aio_pika").warning("trouble")
    assert log.lines == []


def test_a_library_that_logs_secrets_message_bodies_and_exceptions_is_redacted() -> None:
    log = Log()
    message = DeliveredMessage(None, None, PROMPT.encode(), None)  # type: ignore[arg-type] # only its repr counts
    logging.getLogger("aiormq").error("unhandled %r with %s", message, KEY, exc_info=failure())
    assert "unhandled DeliveredMessage" in log.text
    assert PROMPT not in log.text
    assert KEY not in log.text


def test_warnings_of_python_are_lines_too() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        log = Log()
        warnings.warn("old habits", DeprecationWarning, stacklevel=1)
    assert [line["logger"] for line in log.lines] == ["py.warnings"]


def test_the_console_format_is_for_people_and_has_no_colours_away_from_a_terminal() -> None:
    log = Log(log_format="console")
    LogObserver().notify(settled(SUBMITTED))
    assert "request settled" in log.text
    assert "task_id='task-1'" in log.text
    assert "\x1b" not in log.text


def test_an_id_cannot_write_to_the_terminal() -> None:
    log = Log(log_format="console")
    LogObserver().notify(settled(Submitted("\x1b[2J", "model", 1)))
    assert "\x1b" not in log.text


def test_the_log_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(settings_with())
    LogObserver().notify(DrainStarted(1))
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "drain started" in captured.err
