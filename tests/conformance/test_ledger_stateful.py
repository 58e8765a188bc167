"""The adapters against the transitions of `core.ledger`, through crashes and ended leases, in any order."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar
from uuid import uuid4

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from typing_extensions import override

from service.adapters.ledger.opening import OpenLedger
from service.core import ledger
from service.core.call import Answer
from service.core.ledger import Claim, DoubtRecord, Entry, Found, Known, Permit, Running, SubmittedRecord, Terms
from tests.support.ledgers import LEASE, RETENTION, RedisStage, SqliteStage, Stage, VolatileStage

T = TypeVar("T")
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
BOUNDED = settings(
    max_examples=25,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)

WORKERS = st.sampled_from([0, 1])
REQUESTS = st.sampled_from(["r", "s\ud800"])
ATTEMPTS = st.integers(1, 5)
PERMITS = st.builds(Permit, resend=st.booleans(), replay=st.none() | st.sampled_from(["x", "y"]))
ANSWERS = st.builds(Answer, st.none() | st.just(504), st.none(), st.none() | st.just("lost\ud800"))
RECORDS = st.builds(DoubtRecord, ANSWERS, ATTEMPTS) | st.builds(
    SubmittedRecord, st.sampled_from(["task-1", "task-2"]), st.just("wan2.2-t2v-plus"), ATTEMPTS, st.just(BEGIN)
)


class Model:
    """What the ledger ought to know."""

    def __init__(self) -> None:
        self.now = BEGIN
        self.entries: dict[str, Entry | None] = {}

    def terms(self, holder: str) -> Terms:
        return Terms(holder, self.now, LEASE, RETENTION)

    def claim(self, holder: str, request_id: str, attempt: int, permit: Permit) -> Claim:
        answer, self.entries[request_id] = ledger.claim(
            self.entries.get(request_id), attempt, permit, self.terms(holder)
        )
        return answer

    def find(self, holder: str, request_id: str) -> Found:
        return ledger.found(self.entries.get(request_id), self.terms(holder))

    def release(self, holder: str, request_id: str) -> None:
        self.entries[request_id] = ledger.release(self.entries.get(request_id), self.terms(holder))

    def record(self, holder: str, request_id: str, known: Known) -> None:
        self.entries[request_id] = ledger.record(self.entries.get(request_id), known, self.terms(holder))


class Worker:
    """One run of a worker, with the ledger that it opened."""

    def __init__(self, holder: str, opened: AbstractAsyncContextManager[OpenLedger], runner: asyncio.Runner) -> None:
        self.holder = holder
        self._opened = opened
        self._runner = runner
        self.ledger = runner.run(self._enter())

    def end(self) -> None:
        self._runner.run(self._leave())

    async def _enter(self) -> OpenLedger:
        return await self._opened.__aenter__()

    async def _leave(self) -> None:
        await self._opened.__aexit__(None, None, None)


class LedgerMachine(RuleBasedStateMachine):
    """Two workers on one store, each step done to the store and to the model."""

    def __init__(self, make_stage: Callable[[], Stage]) -> None:
        super().__init__()
        self._stage = make_stage()
        self._model = Model()
        self._holders = map("run-{}".format, itertools.count())
        self._runner = asyncio.Runner()
        self._workers = [self._started(), self._started()]

    def _started(self) -> Worker:
        holder = next(self._holders)
        return Worker(holder, self._stage.open(holder), self._runner)

    @rule(worker=WORKERS, request_id=REQUESTS, attempt=ATTEMPTS, permit=PERMITS)
    def claim(self, worker: int, request_id: str, attempt: int, permit: Permit) -> None:
        at = self._workers[worker]
        answer = self._runner.run(_awaited(at.ledger.claim(request_id, attempt, permit)))
        assert _timeless(answer) == _timeless(self._model.claim(at.holder, request_id, attempt, permit))

    @rule(worker=WORKERS, request_id=REQUESTS)
    def find(self, worker: int, request_id: str) -> None:
        at = self._workers[worker]
        answer = self._runner.run(_awaited(at.ledger.find(request_id)))
        assert _timeless(answer) == _timeless(self._model.find(at.holder, request_id))

    @rule(worker=WORKERS, request_id=REQUESTS)
    def release(self, worker: int, request_id: str) -> None:
        at = self._workers[worker]
        self._runner.run(_awaited(at.ledger.release(request_id)))
        self._model.release(at.holder, request_id)

    @rule(worker=WORKERS, request_id=REQUESTS, known=RECORDS)
    def record(self, worker: int, request_id: str, known: Known) -> None:
        at = self._workers[worker]
        self._runner.run(_awaited(at.ledger.record(request_id, known)))
        self._model.record(at.holder, request_id, known)

    @rule(worker=WORKERS)
    def crash(self, worker: int) -> None:
        self._workers[worker].end()
        self._workers[worker] = self._started()

    @rule()
    def leases_end(self) -> None:
        self._runner.run(_awaited(self._stage.end_leases()))
        self._model.now += LEASE

    @rule()
    def retention_ends(self) -> None:
        self._runner.run(_awaited(self._stage.end_retention()))
        self._model.now += RETENTION

    @override
    def teardown(self) -> None:
        for worker, request_id in itertools.product((0, 1), ("r", "s\ud800")):
            self.find(worker, request_id)
        for at in self._workers:
            at.end()
        self._runner.close()


async def _awaited(answer: Awaitable[T]) -> T:
    return await answer


def _timeless(answer: Found | Claim) -> object:
    # Redis has a clock of its own.
    return replace(answer, seconds=0.0) if isinstance(answer, Running) else answer


def check(make_stage: Callable[[], Stage]) -> None:
    class OnStage(LedgerMachine):
        def __init__(self) -> None:
            super().__init__(make_stage)

    run_state_machine_as_test(OnStage, settings=BOUNDED)


def test_the_volatile_ledger_does_what_the_core_says() -> None:
    check(VolatileStage)


def test_sqlite_does_what_the_core_says() -> None:
    with TemporaryDirectory() as folder:
        numbers = itertools.count()
        check(lambda: SqliteStage(Path(folder, f"{next(numbers)}.db")))


def test_redis_does_what_the_core_says(redis_url: str) -> None:
    check(lambda: RedisStage(redis_url, f"test-{uuid4().hex[:12]}"))
