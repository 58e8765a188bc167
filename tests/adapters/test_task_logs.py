import pytest

from service.core.completion import CompletionStatus
from service.core.task_facts import QueriesHeld, TaskCompleted, TaskPolled, TasksPending
from service.core.task_query import HeldOffReason, QueryClass
from tests.adapters.log_lines import Log

pytestmark = pytest.mark.usefixtures("restored_logging")


@pytest.mark.parametrize(("parked", "told"), [(False, {}), (True, {"parked": True})])
def test_a_task_that_ended_is_one_line(told: dict[str, bool], *, parked: bool) -> None:
    (line,) = Log().after(TaskCompleted("request-1", "task-1", CompletionStatus.LOST, parked=parked))
    del line["timestamp"], line["logger"]
    assert line == {
        "event": "task completed",
        "level": "info",
        "request_id": "request-1",
        "task_id": "task-1",
        "outcome": "lost",
        **told,
    }


@pytest.mark.parametrize("reason", HeldOffReason)
def test_queries_in_vain_are_a_warning(reason: HeldOffReason) -> None:
    (line,) = Log().after(QueriesHeld(reason, 5.00049))
    assert (line["level"], line["reason"], line["seconds"]) == ("warning", reason.value, 5.0)


def test_single_queries_and_counts_are_for_a_search_alone() -> None:
    facts = (TaskPolled("request-1", "task-1", QueryClass.UNDER_WAY, 0.1), TasksPending(3))
    assert Log(level="info").after(*facts) == []
