import json
from datetime import UTC, datetime

import pytest
from jsonschema import Draft202012Validator

from service.core.completion import (
    CompletionStatus,
    FailedCompletion,
    Lost,
    LostCompletion,
    SucceededCompletion,
    completion_of,
)
from service.core.pending_task import PendingTask
from service.core.task_query import Ending, Failed, QueryClass, Succeeded
from service.schema import completion_schema

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
COMPLETION = Draft202012Validator(completion_schema())
SUCCEEDED = {
    "request_id": "r",
    "status": "succeeded",
    "task_id": "t",
    "model": "m",
    "submitted_at": "2026-01-31T12:00:00Z",
    "completed_at": "2026-01-31T12:04:00Z",
    "urls": ["https://a/b"],
}


@pytest.mark.parametrize("ending", [Succeeded(("https://a/b",)), Succeeded(()), Failed("no"), Lost(QueryClass.MISSING)])
def test_what_the_worker_says_of_each_end_passes(ending: Ending | Lost) -> None:
    task = PendingTask("t", "r", "m", NOON, "c")

    COMPLETION.validate(json.loads(completion_of(task, ending, NOON).model_dump_json()))


@pytest.mark.parametrize("field", sorted(SUCCEEDED))
def test_no_field_of_a_completion_may_be_missing(field: str) -> None:
    assert COMPLETION.is_valid(SUCCEEDED)
    assert not COMPLETION.is_valid({name: value for name, value in SUCCEEDED.items() if name != field})


@pytest.mark.parametrize("wrong", [{"status": "submitted"}, {"status": "failed"}, {"urls": None}, {"urls": [1]}])
def test_a_completion_of_another_form_is_refused(wrong: dict[str, object]) -> None:
    assert not COMPLETION.is_valid({**SUCCEEDED, **wrong})


def test_a_consumer_need_not_know_fields_that_come_later() -> None:
    assert COMPLETION.is_valid({**SUCCEEDED, "cost": 1})


@pytest.mark.parametrize("model", [SucceededCompletion, FailedCompletion, LostCompletion])
def test_every_field_is_described(model: type[SucceededCompletion | FailedCompletion | LostCompletion]) -> None:
    fields = completion_schema()["$defs"][model.__name__]["properties"]

    assert set(fields) == set(model.model_fields)
    assert all("description" in field or "const" in field for field in fields.values())


def test_the_schema_is_right_and_shows_an_example_of_each_status() -> None:
    schema = completion_schema()
    Draft202012Validator.check_schema(schema)

    assert [each["status"] for each in schema["examples"]] == [str(status) for status in CompletionStatus]
    assert all(COMPLETION.is_valid(each) for each in schema["examples"])
