"""Parked messages on a terminal: the table, one JSON object each, one in full. No prompt is in the first two."""

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from service.cli.parked.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.table import Table
    from rich.text import Text

    from service.core.delivery import Delivery
    from service.core.parked import Parked

_MESSAGE_WIDTH = 80
_STEPS = ((timedelta(days=1), "d"), (timedelta(hours=1), "h"), (timedelta(minutes=1), "m"), (timedelta(seconds=1), "s"))


@dataclass(slots=True)
class Totals:
    """How many messages there are of each code, and how many of them name a task."""

    codes: Counter[str] = field(default_factory=Counter)
    with_task: int = 0

    def add(self, parked: "Parked") -> None:
        """Count a message."""
        self.codes[parked.code] += 1
        self.with_task += parked.task_id is not None

    @property
    def count(self) -> int:
        """All of them."""
        return self.codes.total()

    def text(self) -> str:
        """Write the numbers, the largest first."""
        return ", ".join(f"{count} {printable(code)}" for code, count in self.codes.most_common())


def age_text(age: timedelta) -> str:
    """Write an age in its largest whole unit, such as `3h`."""
    return next((f"{age // step}{unit}" for step, unit in _STEPS if age >= step), "0s")


def requests_table(rows: "Iterable[Parked]", now: datetime) -> "Table":
    """Show dead requests."""
    from rich.table import Table

    table = Table()
    table.add_column("request id", overflow="fold", min_width=12)
    table.add_column("code", no_wrap=True)
    table.add_column("age", justify="right", no_wrap=True)
    table.add_column("attempts", justify="right", no_wrap=True)
    table.add_column("message")
    for parked in rows:
        attempts = "" if parked.attempts is None else str(parked.attempts)
        age = age_text(now - parked.since)
        table.add_row(_text(parked.id), _text(parked.code), age, attempts, _short_message(parked))
    return table


def results_table(rows: "Iterable[Parked]", now: datetime) -> "Table":
    """Show undelivered results."""
    from rich.table import Table

    table = Table()
    table.add_column("request id", overflow="fold", min_width=12)
    table.add_column("status", no_wrap=True)
    # As wide as a UUID: task ids are there to be copied.
    table.add_column("task id", overflow="fold", min_width=36)
    table.add_column("reply to", overflow="fold", min_width=8)
    table.add_column("age", justify="right", no_wrap=True)
    for parked in rows:
        age = age_text(now - parked.since)
        table.add_row(
            _text(parked.id), _text(parked.code), _text(parked.task_id or ""), _text(parked.reply_to or ""), age
        )
    return table


def json_line(parked: "Parked", now: datetime) -> str:
    """Write a message as one JSON object; ASCII, so that nothing in it can act on a terminal."""
    from service.core.instant import rfc3339

    return json.dumps(
        {
            "request_id": parked.id,
            "code": parked.code,
            "by_broker": parked.by_broker,
            "since": rfc3339(parked.since),
            "age_seconds": max(0, round((now - parked.since).total_seconds())),
            "attempts": parked.attempts,
            "message": parked.message,
            "task_id": parked.task_id,
            "reply_to": parked.reply_to,
        }
    )


def in_full(delivery: "Delivery", parked: "Parked") -> str:
    """Write properties, headers and body, one below the other."""
    properties = {
        "code": parked.code,
        "message_id": delivery.message_id,
        "correlation_id": delivery.correlation_id,
        "reply_to": delivery.reply_to,
        "content_type": delivery.content_type,
        "content_encoding": delivery.content_encoding,
        "timestamp": delivery.timestamp,
        "type": delivery.type,
        "app_id": delivery.app_id,
        "priority": delivery.priority,
    }
    named = [f"  {name}: {printable(str(value))}" for name, value in properties.items() if value is not None]
    headers = [f"  {printable(name)}: {printable(str(value))}" for name, value in delivery.headers.items()]
    body = [f"  {printable(line)}" for line in _body_text(delivery.body).split("\n")]
    lines = (printable(parked.id), *named, "headers", *headers, f"body, {len(delivery.body)} bytes", *body)
    return "\n".join(lines)


def _body_text(body: bytes) -> str:
    text = body.decode("utf-8", "backslashreplace")
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text


def _short_message(parked: "Parked") -> "Text":
    message = _text(parked.message)
    message.truncate(_MESSAGE_WIDTH, overflow="ellipsis")
    if parked.task_id is not None:
        message.append(f"\ntask id: {printable(parked.task_id)}")
    return message


def _text(text: str) -> "Text":
    from rich.text import Text

    # A text, because it may hold what rich takes for markup.
    return Text(printable(text))
