from collections.abc import Mapping
from io import StringIO
from typing import Any

import pytest
from rich.console import Console, RenderableType

from service.core.result import ErrorCode
from service.demo.report import Seen, moved_metrics, reply_table
from service.demo.scenes import Scene

TASK_ID = "video:0123456789abcdef-0123456789abcdef-0123456789abcdef"
LONG_METRIC = "videogen_requests_settled_total"


def shown(what: RenderableType, width: int = 80) -> str:
    console = Console(width=width, file=StringIO())
    with console.capture() as capture:
        console.print(what)
    return capture.get()


def column(table: str, number: int) -> str:
    """Join what stands in one column of a printed table."""
    rows = (line.split("│") for line in table.splitlines() if line.startswith("│"))
    return "".join(cells[number].strip() for cells in rows)


def submitted(**fields: object) -> dict[str, Any]:
    return {"status": "submitted", "task_id": TASK_ID, "attempts": 1, "warnings": [], **fields}


def failed(code: str, message: str) -> dict[str, Any]:
    return {"status": "failed", "attempts": 0, "warnings": [], "error": {"code": code, "message": message}}


def seen(reply: Mapping[str, Any], title: str = "a request") -> Seen:
    return Seen(Scene(title, b"{}"), dict(reply))


def test_a_task_id_is_shown_whole() -> None:
    assert TASK_ID in column(shown(reply_table([seen(submitted())], 1), width=60), 3)


def test_what_looks_like_markup_is_shown_as_it_is() -> None:
    table = shown(reply_table([seen(failed("rejected", "no such [/b] model :cat:"), "[red]title[/x]")], 1), width=200)
    assert "rejected: no such [/b] model :cat:" in table
    assert "[red]title[/x]" in table


def test_warnings_stand_below_the_task_id() -> None:
    table = shown(reply_table([seen(submitted(task_id="t-1", warnings=["the prompt was cut"]))], 1))
    assert column(table, 3) == "t-1warning: the prompt was cut"


def test_a_long_error_is_cut() -> None:
    told = column(shown(reply_table([seen(failed("rejected", "x" * 1000))], 1)), 3)
    assert (told.count("x"), told[-1]) == (320 - len("rejected: …"), "…")


def test_many_good_requests_are_one_row() -> None:
    crowd = [Seen(Scene(f"{n}", b"{}", one_of_many=True), submitted(task_id=f"t-{n}")) for n in range(3)]
    table = shown(reply_table(crowd, 3))
    assert "3 good requests" in table
    assert "3 different task ids" in table


def metrics(value: float) -> str:
    sample = f'{LONG_METRIC}{{outcome="malformed_message",reason="{"r" * 60}"}} {value}'
    return f"# TYPE {LONG_METRIC} counter\n{sample}\n# TYPE other_total counter\nother_total {value}\n"


def test_the_name_of_a_metric_that_moved_is_shown_whole() -> None:
    table = shown(moved_metrics(metrics(1), metrics(3)))
    assert column(table, 1) == f'{LONG_METRIC}{{outcome="malformed_message",reason="{"r" * 60}"}}'
    assert (column(table, 2), column(table, 3)) == ("1", "3")


def test_a_metric_that_did_not_move_is_left_out() -> None:
    assert LONG_METRIC not in shown(moved_metrics(metrics(1), metrics(1)))


@pytest.mark.parametrize(
    ("expected", "reply"),
    [(None, submitted()), (ErrorCode.REJECTED, failed("rejected", "no"))],
    ids=["task id", "error"],
)
def test_the_announced_reply_is_as_expected(expected: ErrorCode | None, reply: dict[str, Any]) -> None:
    assert Seen(Scene("a request", b"{}", expected), reply).as_expected


@pytest.mark.parametrize(
    ("expected", "reply"),
    [
        (None, failed("rejected", "no")),
        (ErrorCode.REJECTED, submitted()),
        (ErrorCode.REJECTED, failed("expired", "late")),
    ],
    ids=["error for task id", "task id for error", "another error"],
)
def test_another_reply_is_not_as_expected(expected: ErrorCode | None, reply: dict[str, Any]) -> None:
    assert not Seen(Scene("a request", b"{}", expected), reply).as_expected
