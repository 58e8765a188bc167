"""The tasks that are followed, through crashes and ended leases, in any order, for every ledger."""

import asyncio
import itertools
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar
from uuid import uuid4

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from typing_extensions import override

from service.core.ledger import SubmittedRecord
from service.core.pending_task import Follow, PendingTask
from tests.conformance.test_ledger_stateful import BOUNDED, WORKERS, Worker
from tests.support.ledgers import LEASE, RedisStage, SqliteStage, Stage, VolatileStage

T = TypeVar("T")
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
TASKS = st.sampled_from(["task-1", "task:2"])
# Far from each other and from the step of time: the clock of Redis goes on between the steps.
WAITS = st.sampled_from([0.0, 50.0, 110.0])


class Model:
    """What is followed, and when each task is due."""

    def __init__(self) -> None:
        self.now = BEGIN
        self.tasks: dict[str, tuple[datetime, PendingTask]] = {}

    def follow(self, task: PendingTask, first: float) -> None:
        self.tasks.setdefault(task.task_id, (self.now + timedelta(seconds=first), task))

    def has_taken(self, taken: PendingTask | None) -> bool:
        """Tell whether that was right, and put it down."""
        times = [at for at, _ in self.tasks.values()]
        if taken is None:
            return all(at > self.now for at in times)
        at, task = self.tasks[taken.task_id]
        self.tasks[taken.task_id] = (self.now + LEASE, task)
        return task == taken and at <= self.now and at == min(times)

    def reschedule(self, task_id: str, wait: float) -> None:
        if task_id in self.tasks:
            self.tasks[task_id] = (self.now + timedelta(seconds=wait), self.tasks[task_id][1])


class TasksMachine(RuleBasedStateMachine):
    """Two workers on one store, each step done to the store and to the model."""

    def __init__(self, make_stage: Callable[[], Stage]) -> None:
        super().__init__()
        self._stage = make_stage()
        self._model = Model()
        self._holders = map("run-{}".format, itertools.count())
        self._requests = map("r-{}".format, itertools.count())
        self._runner = asyncio.Runner()
        self._workers = [self._started(), self._started()]

    def _started(self) -> Worker:
        holder = next(self._holders)
        return Worker(holder, self._stage.open(holder), self._runner)

    def _do(self, work: Coroutine[object, object, T]) -> T:
        return self._runner.run(work)

    @rule(worker=WORKERS, task_id=TASKS, first=WAITS)
    def follow(self, worker: int, task_id: str, first: float) -> None:
        task = PendingTask(task_id, next(self._requests), "m", BEGIN, "c")
        record = SubmittedRecord(task_id, "m", 1, BEGIN)
        at = self._workers[worker]
        self._do(at.ledger.record(task.request_id, record, Follow(task, first)))
        self._model.follow(task, first)

    @rule(worker=WORKERS)
    def take(self, worker: int) -> None:
        at = self._workers[worker]
        assert self._model.has_taken(self._do(at.ledger.tasks.take()))

    @rule(worker=WORKERS, task_id=TASKS, wait=WAITS)
    def reschedule(self, worker: int, task_id: str, wait: float) -> None:
        at = self._workers[worker]
        self._do(at.ledger.tasks.reschedule(task_id, wait))
        self._model.reschedule(task_id, wait)

    @rule(worker=WORKERS, task_id=TASKS)
    def done(self, worker: int, task_id: str) -> None:
        at = self._workers[worker]
        self._do(at.ledger.tasks.done(task_id))
        self._model.tasks.pop(task_id, None)

    @rule(worker=WORKERS)
    def count(self, worker: int) -> None:
        at = self._workers[worker]
        assert self._do(at.ledger.tasks.count()) == len(self._model.tasks)

    @rule(worker=WORKERS)
    def crash(self, worker: int) -> None:
        self._workers[worker].end()
        self._workers[worker] = self._started()

    @rule()
    def time_passes(self) -> None:
        self._do(self._stage.pass_time(LEASE.total_seconds()))
        self._model.now += LEASE

    @override
    def teardown(self) -> None:
        try:
            for worker in (0, 1):
                self.count(worker)
                self.take(worker)
        finally:
            for at in self._workers:
                at.end()
            self._runner.close()


def check(make_stage: Callable[[], Stage]) -> None:
    class OnStage(TasksMachine):
        def __init__(self) -> None:
            super().__init__(make_stage)

    run_state_machine_as_test(OnStage, settings=BOUNDED)


def test_the_volatile_ledger_gives_each_task_to_one_at_a_time() -> None:
    check(VolatileStage)


def test_sqlite_gives_each_task_to_one_at_a_time() -> None:
    with TemporaryDirectory() as folder:
        numbers = itertools.count()
        check(lambda: SqliteStage(Path(folder, f"{next(numbers)}.db")))


def test_redis_gives_each_task_to_one_at_a_time(redis_url: str) -> None:
    check(lambda: RedisStage(redis_url, f"test-{uuid4().hex[:12]}"))
