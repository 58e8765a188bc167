from datetime import UTC, datetime, timedelta

import pytest

from service.cli.parked.view import Totals, age_text, in_full
from service.core.delivery import Delivery
from service.core.parked import parked_request

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("age", "text"),
    [
        (timedelta(days=2, hours=23), "2d"),
        (timedelta(hours=23, minutes=59), "23h"),
        (timedelta(seconds=60), "1m"),
        (timedelta(seconds=59), "59s"),
        (timedelta(0), "0s"),
        (timedelta(seconds=-5), "0s"),
    ],
)
def test_an_age_is_written_in_its_largest_whole_unit(age: timedelta, text: str) -> None:
    assert age_text(age) == text


def test_totals_name_the_most_frequent_code_first() -> None:
    totals = Totals()
    for code in ("a", "b", "b"):
        totals.add(parked_request(Delivery(b"", headers={"x-error-code": code}), NOW))
    assert (totals.count, totals.text()) == (3, "2 b, 1 a")


def test_totals_count_the_tasks() -> None:
    totals = Totals()
    for headers in ({"x-error-code": "internal", "x-task-id": "task-1"}, {"x-error-code": "internal"}):
        totals.add(parked_request(Delivery(b"", headers=headers), NOW))
    assert totals.with_task == 1


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (b'{"a":"\\u001b"}', '  {\n    "a": "\\u001b"\n  }'),
        (b"no json\x1b\nmore", "  no json\\x1b\n  more"),
        (b"\xff", "  \\xff"),
    ],
    ids=["json", "text", "bytes"],
)
def test_a_body_is_readable_and_harmless(body: bytes, shown: str) -> None:
    delivery = Delivery(body, message_id="mine")
    assert in_full(delivery, parked_request(delivery, NOW)).endswith(f"body, {len(body)} bytes\n{shown}")
