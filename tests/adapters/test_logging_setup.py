import io
import logging
import warnings

import pytest
from aiormq.abc import DeliveredMessage

from service.adapters.logging_setup import configure_logging
from service.adapters.logs import LogObserver
from service.core.facts import DrainStarted, LinkDown, LinkRole, LinkUp
from service.core.outcome import Submitted
from tests.adapters.every_fact import KEY, PROMPT, failure
from tests.adapters.log_lines import SUBMITTED, Log, settings_with, settled
from tests.support.records import record

pytestmark = pytest.mark.usefixtures("restored_logging")


def test_a_line_is_one_json_object_with_time_level_event_and_logger() -> None:
    (line,) = Log().after(DrainStarted(3))
    time = line.pop("timestamp")
    assert line == {"event": "drain started", "in_flight": 3, "level": "info", "logger": "service"}
    assert time.endswith("Z")
    assert "T" in time


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
    LogObserver().notify(settled(Submitted(record("\x1b[2J", "model", 1))))
    assert "\x1b" not in log.text


def test_the_log_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(settings_with())
    LogObserver().notify(DrainStarted(1))
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "drain started" in captured.err


def test_a_short_key_spoils_no_line() -> None:
    (line,) = Log(key="k").after(LinkUp(LinkRole.PUBLISH, first=True))
    assert line["event"] == "broker connected"


def test_ids_are_written_whole_even_where_they_hold_a_secret() -> None:
    log = Log(key="request-")
    (line,) = log.after(settled(Submitted(record("request-9", "model", 1))))
    assert (line["event"], line["request_id"], line["task_id"]) == ("request settled", "request-1", "request-9")
    assert line["correlation_id"] == "correlation-1"


def test_a_secret_that_is_learned_later_is_masked() -> None:
    stream = io.StringIO()
    configure_logging(settings_with(), stream).learn("sk-rotated-key")
    logging.getLogger("aio_pika").warning("cannot use %s", "sk-rotated-key")
    assert "sk-rotated-key" not in stream.getvalue()
    assert "cannot use ***" in stream.getvalue()


def test_the_text_of_a_library_is_masked() -> None:
    log = Log()
    logging.getLogger("aio_pika").warning("cannot use %s", KEY)
    assert [line["event"] for line in log.lines] == ["cannot use ***"]
