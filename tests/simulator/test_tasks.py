import pytest

from service.simulator.fate import Fate, TaskEnd
from service.simulator.tasks import KEPT_SECONDS, Tasks


@pytest.mark.parametrize(
    ("elapsed", "status", "progress"),
    [
        (0, "NOT_START", "0%"),
        (5, "SUBMITTED", "5%"),
        (10, "QUEUED", "10%"),
        (50, "IN_PROGRESS", "50%"),
        (100, "SUCCESS", "100%"),
        (500, "SUCCESS", "100%"),
    ],
)
def test_a_task_goes_through_the_stages(elapsed: float, status: str, progress: str) -> None:
    tasks = Tasks(seconds=100)
    task_id = tasks.make("a cat", now=7).task_id
    told = tasks.status(task_id, now=7 + elapsed)
    assert told is not None
    assert (told["status"], told["progress"], told["fail_reason"]) == (status, progress, "")


def test_only_a_finished_task_has_an_output() -> None:
    tasks = Tasks(seconds=100)
    task_id = tasks.make("a cat", now=0).task_id
    under_way, finished = tasks.status(task_id, now=99), tasks.status(task_id, now=100)
    assert under_way is not None
    assert under_way["data"] == {"orig_prompt": "a cat", "output": None, "outputs": []}
    assert finished is not None
    url = f"https://results.invalid/{task_id}.mp4"
    assert finished["data"] == {"orig_prompt": "a cat", "output": url, "outputs": [url]}


def test_an_unknown_task_and_one_of_yesterday_have_no_status() -> None:
    tasks = Tasks(seconds=100)
    task_id = tasks.make("a cat", now=0).task_id
    assert tasks.status("another", now=0) is None
    assert tasks.status(task_id, now=KEPT_SECONDS) is None


def test_finished_tasks_are_no_longer_running() -> None:
    tasks = Tasks(seconds=10)
    for now in (0, 1, 2):
        tasks.make("a cat", now)
    assert [tasks.running(now) for now in (2, 10, 11, 12)] == [3, 2, 1, 0]


def test_task_ids_differ_and_some_are_no_uuid() -> None:
    tasks = Tasks(seconds=10)
    task_ids = {tasks.make("a cat", now=0).task_id for _ in range(8)}
    assert len(task_ids) == 8
    assert sum(":" in task_id for task_id in task_ids) == 2


def test_a_task_that_fails_tells_its_reason_at_its_end_alone() -> None:
    tasks = Tasks(seconds=100)
    task_id = tasks.make("a cat", now=0, fate=Fate(TaskEnd.FAILS, reason="no good")).task_id
    under_way, ended = tasks.status(task_id, now=99), tasks.status(task_id, now=100)
    assert under_way is not None
    assert (under_way["status"], under_way["fail_reason"]) == ("IN_PROGRESS", "")
    assert ended is not None
    assert (ended["status"], ended["fail_reason"]) == ("FAILURE", "no good")
    assert ended["data"] == {"orig_prompt": "a cat", "output": None, "outputs": []}


def test_a_task_may_have_a_time_of_its_own() -> None:
    tasks = Tasks(seconds=100)
    short = tasks.make("a cat", now=0, fate=Fate(after=2)).task_id
    long = tasks.make("a cat", now=0).task_id
    told = [tasks.status(task_id, now=2) for task_id in (short, long)]
    assert [each and each["status"] for each in told] == ["SUCCESS", "NOT_START"]
    assert [tasks.running(now) for now in (1, 2, 100)] == [2, 1, 0]


def test_a_task_that_is_stuck_never_ends() -> None:
    tasks = Tasks(seconds=10)
    task_id = tasks.make("a cat", now=0, fate=Fate(TaskEnd.STUCK)).task_id
    told = tasks.status(task_id, now=KEPT_SECONDS - 1)
    assert told is not None
    assert told["status"] != "SUCCESS"
    assert tasks.running(KEPT_SECONDS) == 1


def test_a_task_that_is_missing_has_no_status_and_runs_all_the_same() -> None:
    tasks = Tasks(seconds=10)
    task_id = tasks.make("a cat", now=0, fate=Fate(TaskEnd.MISSING)).task_id
    assert tasks.status(task_id, now=0) is None
    assert tasks.running(9) == 1


def test_queries_for_tasks_that_are_known_are_counted() -> None:
    tasks = Tasks(seconds=10)
    task_id = tasks.make("a cat", now=0).task_id
    for asked in (task_id, "another", task_id):
        tasks.status(asked, now=0)
    assert tasks.queries == {task_id: 2}
    tasks.forget()
    assert not tasks.queries
