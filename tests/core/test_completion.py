import json
from datetime import timedelta

import pytest

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
from tests.support.fakes import NEW_YEAR

TASK = PendingTask("task-1", "r", "wan", NEW_YEAR + timedelta(microseconds=7), "c")
NOW = NEW_YEAR + timedelta(minutes=4, microseconds=9)
COMMON = {
    "request_id": "r",
    "task_id": "task-1",
    "model": "wan",
    "submitted_at": "2026-01-01T00:00:00Z",
    "completed_at": "2026-01-01T00:04:00Z",
}


@pytest.mark.parametrize(
    ("ending", "fields"),
    [
        (Succeeded(("https://a/b", "https://c/d")), {"status": "succeeded", "urls": ["https://a/b", "https://c/d"]}),
        (Succeeded(()), {"status": "succeeded", "urls": []}),
        (Failed("no good"), {"status": "failed", "reason": "no good"}),
    ],
)
def test_the_body_tells_task_request_and_end(ending: Ending, fields: dict[str, object]) -> None:
    assert json.loads(completion_of(TASK, ending, NOW).model_dump_json()) == {**COMMON, **fields}


@pytest.mark.parametrize("last", QueryClass)
def test_a_lost_task_tells_what_the_last_query_came_to_and_what_to_do(last: QueryClass) -> None:
    completion = completion_of(TASK, Lost(last), NOW)

    assert isinstance(completion, LostCompletion)
    assert completion.reason.endswith("Look for it at the provider by its task_id.")


def test_no_two_last_queries_are_told_in_the_same_words() -> None:
    told = {completion_of(TASK, Lost(last), NOW).model_dump_json() for last in QueryClass}

    assert len(told) == len(QueryClass)


def test_the_statuses_are_those_of_the_bodies() -> None:
    bodies = (SucceededCompletion, FailedCompletion, LostCompletion)

    assert {body.model_fields["status"].default for body in bodies} == {str(status) for status in CompletionStatus}
