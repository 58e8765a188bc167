"""Log lines, read back from where they were written."""

import io
import json
from typing import Any

from service.adapters.logging_setup import configure_logging
from service.adapters.logs import LogObserver
from service.core.facts import Fact, Settled
from service.core.outcome import Outcome, Submitted
from service.settings import Settings
from tests.adapters.every_fact import KEY
from tests.support.records import record

SUBMITTED = Submitted(record("task-1", "wan2.2-t2v-plus", 2))


def settings_with(level: str = "debug", log_format: str = "json", key: str = KEY) -> Settings:
    return Settings.model_validate(
        {
            "broker": {"url": "amqp://me:sentinel%2Fpass@host"},
            "endpoint": {"base_url": "https://host", "api_key": key},
            "log": {"level": level, "format": log_format},
        }
    )


class Log:
    """What was written, as text and as the objects of its lines."""

    def __init__(self, level: str = "debug", log_format: str = "json", key: str = KEY) -> None:
        self._stream = io.StringIO()
        configure_logging(settings_with(level, log_format, key), self._stream)

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
