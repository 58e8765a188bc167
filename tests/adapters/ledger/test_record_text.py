from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.adapters.ledger.record_text import (
    UnreadableRecordError,
    answer_text,
    read_answer,
    read_submitted,
    submitted_text,
)
from service.core.call import Answer
from service.core.ledger import SubmittedRecord

# A pair of surrogates side by side is one character to JSON; text from JSON or AMQP never holds it as two.
TEXT = st.text(st.characters(exclude_categories=["Cs"])) | st.just("\ud800") | st.just("a\udcff")
INSTANTS = st.datetimes(timezones=st.just(UTC))


@given(st.builds(SubmittedRecord, TEXT, TEXT, st.integers(0), INSTANTS))
def test_a_submitted_record_is_read_as_it_was_written(record: SubmittedRecord) -> None:
    assert read_submitted(submitted_text(record)) == record
    assert read_submitted(submitted_text(record).encode("ascii")) == record


@given(st.builds(Answer, st.none() | st.integers(100, 599), st.none() | TEXT, st.none() | TEXT))
def test_an_answer_is_read_as_it_was_written(answer: Answer) -> None:
    assert read_answer(answer_text(answer)) == answer


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"task_id": 1, "model": "m", "attempts": 1, "at": "now"}'])
def test_another_text_is_no_record(text: str) -> None:
    with pytest.raises(UnreadableRecordError):
        read_submitted(text)


def test_a_record_without_an_instant_is_refused() -> None:
    text = submitted_text(SubmittedRecord("t", "m", 1, datetime(2026, 1, 1, tzinfo=UTC)))
    with pytest.raises(UnreadableRecordError):
        read_submitted(text.replace("2026-01-01", "yesterday"))


def test_an_instant_without_a_zone_is_refused() -> None:
    text = submitted_text(SubmittedRecord("t", "m", 1, datetime(2026, 1, 1, tzinfo=UTC)))
    with pytest.raises(UnreadableRecordError):
        read_submitted(text.replace("+00:00", ""))


@pytest.mark.parametrize("text", ["{", "[]", "[" * 100_000, '{"http_status": "200", "code": null, "message": null}'])
def test_another_text_is_no_answer(text: str) -> None:
    with pytest.raises(UnreadableRecordError):
        read_answer(text)
