from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.adapters.ledger.record_text import UnreadableRecordError
from service.adapters.ledger.task_text import read_task, task_text
from service.core.pending_task import PendingTask

TEXT = st.text(st.characters(exclude_categories=["Cs"])) | st.just("\ud800") | st.just("a\udcff")
INSTANTS = st.datetimes(timezones=st.just(UTC))
TASKS = st.builds(
    PendingTask, TEXT, TEXT, TEXT, INSTANTS, TEXT, st.none() | TEXT, st.dictionaries(TEXT, TEXT, max_size=2)
)
WHOLE = task_text(PendingTask("t", "r", "m", datetime(2026, 1, 1, tzinfo=UTC), "c"))


@given(TASKS)
def test_a_task_is_read_as_it_was_written(task: PendingTask) -> None:
    assert read_task(task_text(task)) == task
    assert read_task(task_text(task).encode("ascii")) == task


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "[" * 100_000, b"\xff"])
def test_another_text_is_no_task(text: str | bytes) -> None:
    with pytest.raises(UnreadableRecordError):
        read_task(text)


@pytest.mark.parametrize(
    ("part", "other"),
    [
        ('"task_id": "t"', '"task_id": 1'),
        ('"reply_to": null', '"reply_to": 1'),
        ('"trace": {}', '"trace": {"traceparent": 1}'),
        ("2026-01-01", "yesterday"),
        ("+00:00", ""),
    ],
)
def test_a_task_with_a_wrong_part_is_refused(part: str, other: str) -> None:
    assert part in WHOLE
    with pytest.raises(UnreadableRecordError):
        read_task(WHOLE.replace(part, other))
