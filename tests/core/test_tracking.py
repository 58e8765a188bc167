import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from typing_extensions import override

from service.adapters.ledger.tenure import Tenure
from service.adapters.ledger.volatile_tasks import VolatileTasks
from service.core.completion import CompletionStatus
from service.core.drain import Drain
from service.core.facts import Advice, DefectFound, PauseReason
from service.core.gate import Gate
from service.core.ledger import LedgerUnavailable
from service.core.outgoing import PublishVerdict, Route
from service.core.pending_task import Follow, PendingTask, TrackingPolicy
from service.core.task_facts import QueriesHeld, TaskCompleted, TaskPolled, TasksPending
from service.core.task_query import (
    Failed,
    HeldOff,
    HeldOffReason,
    Missing,
    QueryClass,
    QueryResult,
    Succeeded,
    Unclear,
    UnderWay,
)
from service.core.topology import Topology
from service.core.tracking import Tracker, TrackingPorts
from tests.core.rate_scene import LoopClock
from tests.support.fakes import FakePublisher, RecordingObserver
from tests.support.virtual_time import in_virtual_time, loop_time

TOPOLOGY = Topology("videogen", tracking=True)
REPLIES = Route("", "replies")
LEASE = 60.0
POLICY = TrackingPolicy(first=5.0, cap=60.0, lost_after=3600.0, at_once=1)
URL = "https://results.example.com/a.mp4"
THROTTLED = HeldOff(HeldOffReason.THROTTLED)


class FlakyTasks(VolatileTasks):
    """Takes no operation that is named in `away`."""

    def __init__(self) -> None:
        super().__init__(Tenure("here", timedelta(seconds=LEASE), timedelta(days=7), LoopClock()))
        self.away: set[str] = set()
        self.broken: Exception | None = None

    @override
    async def take(self) -> PendingTask | None:
        self._reach("take")
        if self.broken is not None:
            raise self.broken
        return await super().take()

    @override
    async def reschedule(self, task_id: str, wait: float) -> None:
        self._reach("reschedule")
        await super().reschedule(task_id, wait)

    @override
    async def done(self, task_id: str) -> None:
        self._reach("done")
        await super().done(task_id)

    def _reach(self, operation: str) -> None:
        if operation in self.away:
            raise LedgerUnavailable("the ledger is away: start it")


class SteadyCap:
    """Lets one query start in each period. Keeps port `CallCap`."""

    def __init__(self, per_second: float) -> None:
        self._period = 1 / per_second
        self._next = 0.0

    def ready(self) -> bool:
        return loop_time() >= self._next

    async def acquire(self) -> None:
        at = max(loop_time(), self._next)
        self._next = at + self._period
        await asyncio.sleep(at - loop_time())


class Endpoint:
    """Answers queries: `says` by task, `UnderWay` without. Keeps port `TaskQuery`."""

    def __init__(self) -> None:
        self.says: dict[str, QueryResult | Exception] = {}
        self.asked: list[tuple[float, str]] = []
        self.takes = 0.0
        self.hangs: set[str] = set()
        self.under_way = 0

    async def ask(self, task_id: str) -> QueryResult:
        self.asked.append((loop_time(), task_id))
        self.under_way += 1
        try:
            await asyncio.sleep(1e6 if task_id in self.hangs else self.takes)
        finally:
            self.under_way -= 1
        answer = self.says.get(task_id, UnderWay())
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def times(self) -> list[float]:
        return [at for at, _ in self.asked]


class Scene:
    def __init__(self, policy: TrackingPolicy = POLICY, max_rps: float = 1000.0) -> None:
        self.observer = RecordingObserver()
        self.drain = Drain()
        self.gate = Gate(self.drain, self.observer, patience=30.0)
        self.tasks = FlakyTasks()
        self.endpoint = Endpoint()
        self.publisher = FakePublisher()
        self._policy = policy
        self._max_rps = max_rps

    def follow(self, task_id: str = "task-1", reply_to: str | None = "replies") -> None:
        task = PendingTask(
            task_id,
            f"request of {task_id}",
            "wan",
            LoopClock().now(),
            "correlation",
            reply_to,
            {"traceparent": "trace"},
        )
        self.tasks.follow(Follow(task, self._policy.first))

    @asynccontextmanager
    async def tracking(self) -> AsyncIterator[asyncio.Task[None]]:
        running = asyncio.create_task(self.tracker().run())
        try:
            yield running
            assert not running.done() or self.drain.begun
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    def tracker(self) -> Tracker:
        ports = TrackingPorts(
            tasks=self.tasks,
            query=self.endpoint,
            publisher=self.publisher,
            cap=SteadyCap(self._max_rps),
            clock=LoopClock(),
            observer=self.observer,
            uniform=lambda: 0.0,
        )
        return Tracker(ports, self._policy, TOPOLOGY, self.gate, self.drain)

    def told(self, route: Route = REPLIES) -> list[dict[str, object]]:
        return [json.loads(message.body) for message in self.publisher.at(route)]


def run(scenario: Callable[[Scene], Awaitable[None]], policy: TrackingPolicy = POLICY, max_rps: float = 1000.0) -> None:
    async def running() -> None:
        await scenario(Scene(policy, max_rps))

    in_virtual_time(running)


@pytest.mark.parametrize(
    ("answer", "status", "fields"),
    [
        (Succeeded((URL,)), CompletionStatus.SUCCEEDED, {"urls": [URL]}),
        (Failed("no good"), CompletionStatus.FAILED, {"reason": "no good"}),
    ],
)
@pytest.mark.parametrize("reply_to", ["replies", None])
def test_a_task_that_ended_is_told_once_and_followed_no_longer(
    answer: QueryResult, status: CompletionStatus, fields: dict[str, object], reply_to: str | None
) -> None:
    async def scenario(scene: Scene) -> None:
        scene.endpoint.says["task-1"] = answer
        scene.follow(reply_to=reply_to)
        async with scene.tracking():
            await asyncio.sleep(300)
        route = REPLIES if reply_to else Route("videogen", f"completion.{status}")
        (body,) = scene.told(route)
        assert body["status"] == status
        assert {name: body[name] for name in fields} == fields
        assert await scene.tasks.count() == 0
        assert scene.observer.of(TaskCompleted) == [TaskCompleted("request of task-1", "task-1", status, parked=False)]

    run(scenario)


def test_a_completion_has_the_properties_of_the_contract() -> None:
    async def scenario(scene: Scene) -> None:
        scene.endpoint.says["task-1"] = Succeeded((URL,))
        scene.follow()
        async with scene.tracking():
            await asyncio.sleep(10)
        (message,) = scene.publisher.confirmed
        assert (message.type, message.content_type) == ("videogen.completion.v1", "application/json")
        assert (message.correlation_id, message.headers) == ("correlation", {"traceparent": "trace"})
        assert message.message_id is None

    run(scenario)


def test_a_task_is_asked_for_at_growing_intervals() -> None:
    async def scenario(scene: Scene) -> None:
        scene.follow()
        async with scene.tracking():
            await asyncio.sleep(1000)
        times = scene.endpoint.times
        waits = [later - earlier for earlier, later in pairwise(times)]
        assert 5.0 <= times[0] <= 6.1
        # A look each second: what comes due in between is found at the next one.
        assert all(5.0 <= wait <= 61.1 for wait in waits)
        assert all(later >= earlier - 1.1 for earlier, later in pairwise(waits))
        assert waits[-1] >= 59.0
        assert 20 <= len(times) <= 32

    run(scenario)


@pytest.mark.parametrize(
    ("answer", "last"),
    [
        (UnderWay(), "still under way"),
        (Missing(), "did not know the task"),
    ],
)
def test_a_task_that_never_ends_is_lost_after_its_time(answer: QueryResult, last: str) -> None:
    async def scenario(scene: Scene) -> None:
        scene.endpoint.says["task-1"] = answer
        scene.follow()
        async with scene.tracking():
            await asyncio.sleep(3595)
            assert not scene.publisher.confirmed
            await asyncio.sleep(200)
        (body,) = scene.told()
        assert body["status"] == "lost"
        assert last in str(body["reason"])
        assert await scene.tasks.count() == 0

    run(scenario)


@pytest.mark.parametrize("answer", [*map(HeldOff, HeldOffReason), Unclear()])
def test_a_query_that_says_nothing_of_its_task_does_not_end_it(answer: QueryResult) -> None:
    async def scenario(scene: Scene) -> None:
        scene.endpoint.says["task-1"] = answer
        scene.follow()
        async with scene.tracking():
            await asyncio.sleep(2 * POLICY.lost_after - 100)
            assert not scene.publisher.confirmed
            scene.endpoint.says["task-1"] = Succeeded((URL,))
            await asyncio.sleep(90)
        assert [body["status"] for body in scene.told()] == ["succeeded"]

    run(scenario)


@pytest.mark.parametrize(("answer", "last"), [(THROTTLED, "rate limit"), (Unclear(), "could not be understood")])
def test_a_task_of_which_nothing_can_be_learned_is_lost_some_day(answer: QueryResult, last: str) -> None:
    async def scenario(scene: Scene) -> None:
        scene.endpoint.says["task-1"] = answer
        scene.follow()
        async with scene.tracking():
            await asyncio.sleep(2 * POLICY.lost_after + 100)
        (body,) = scene.told()
        assert body["status"] == "lost"
        assert last in str(body["reason"])
        assert await scene.tasks.count() == 0

    run(scenario)


def test_a_task_that_ended_while_nobody_asked_is_told_and_not_lost() -> None:
    async def scenario(scene: Scene) -> None:
        scene.follow()
        await asyncio.sleep(2 * POLICY.lost_after)
        scene.endpoint.says["task-1"] = Succeeded((URL,))
        async with scene.tracking():
            await asyncio.sleep(5)
        assert [body["status"] for body in scene.told()] == ["succeeded"]

    run(scenario)


def test_a_completion_whose_queue_is_gone_is_kept_and_told_as_parked() -> None:
    async def scenario(scene: Scene) -> None:
        scene.publisher.refuse(REPLIES, PublishVerdict.RETURNED)
        scene.endpoint.says["task-1"] = Succeeded((URL,))
        scene.follow()
        async with scene.tracking():
            await asyncio.sleep(10)
        (kept,) = scene.publisher.at(Route("", "videogen.undelivered"))
        assert (kept.headers or {})["x-original-reply-to"] == "replies"
        assert kept.type == "videogen.completion.v1"
        assert [fact.parked for fact in scene.observer.of(TaskCompleted)] == [True]
        assert await scene.tasks.count() == 0

    run(scenario)


def test_a_task_is_followed_until_the_broker_has_its_completion() -> None:
    async def scenario(scene: Scene) -> None:
        scene.publisher.go_away()
        scene.endpoint.says["task-1"] = Succeeded((URL,))
        scene.follow()
        async with scene.tracking():
            await scene.publisher.wait_for_waiting()
            assert await scene.tasks.count() == 1
            scene.publisher.come_back()
            await asyncio.sleep(1)
        assert len(scene.told()) == 1
        assert await scene.tasks.count() == 0

    run(scenario)


def test_a_worker_that_ends_before_the_confirm_leaves_the_task_to_the_next() -> None:
    async def scenario(scene: Scene) -> None:
        scene.publisher.go_away()
        scene.endpoint.says["task-1"] = Succeeded((URL,))
        scene.follow()
        async with scene.tracking():
            await scene.publisher.wait_for_waiting()
        scene.publisher.come_back()
        async with scene.tracking():
            await asyncio.sleep(LEASE - 10)
            assert not scene.told()
            await asyncio.sleep(15)
        assert len(scene.told()) == 1

    run(scenario)


def test_a_completion_that_nobody_confirms_keeps_no_query_waiting() -> None:
    async def scenario(scene: Scene) -> None:
        scene.publisher.go_away(REPLIES)
        scene.endpoint.says["task-1"] = Succeeded((URL,))
        scene.follow("task-1")
        scene.follow("task-2")
        async with scene.tracking():
            await scene.publisher.wait_for_waiting()
            await asyncio.sleep(20)
            assert [task_id for _, task_id in scene.endpoint.asked].count("task-2") >= 2

    run(scenario)


def test_a_ledger_that_does_not_take_the_end_has_it_told_again() -> None:
    async def scenario(scene: Scene) -> None:
        scene.tasks.away.add("done")
        scene.endpoint.says["task-1"] = Succeeded((URL,))
        scene.follow()
        async with scene.tracking():
            await asyncio.sleep(30)
            assert len(scene.told()) == 1
            scene.tasks.away.clear()
            await asyncio.sleep(LEASE)
        assert len(scene.told()) == 2
        assert await scene.tasks.count() == 0

    run(scenario)


@pytest.mark.parametrize("operation", ["take", "reschedule"])
def test_a_ledger_that_is_away_delays_and_closes_no_gate(operation: str) -> None:
    async def scenario(scene: Scene) -> None:
        scene.tasks.away.add(operation)
        scene.follow()
        async with scene.tracking():
            await asyncio.sleep(20)
            assert not scene.gate.closed
            scene.tasks.away.clear()
            scene.endpoint.says["task-1"] = Succeeded((URL,))
            await asyncio.sleep(LEASE + 10)
        assert len(scene.told()) == 1

    run(scenario)


@pytest.mark.parametrize("reason", [reason for reason in PauseReason if reason is not PauseReason.BROKER])
def test_what_keeps_paid_calls_back_does_not_keep_queries_back(reason: PauseReason) -> None:
    async def scenario(scene: Scene) -> None:
        scene.gate.close(reason, "why")
        scene.endpoint.says["task-1"] = Succeeded((URL,))
        scene.follow()
        async with scene.tracking():
            await asyncio.sleep(10)
        assert [body["status"] for body in scene.told()] == ["succeeded"]

    run(scenario)


def test_no_query_starts_while_the_broker_is_away() -> None:
    async def scenario(scene: Scene) -> None:
        scene.gate.close(PauseReason.BROKER, "why")
        scene.follow()
        async with scene.tracking():
            await asyncio.sleep(1000)
            assert not scene.endpoint.asked
            scene.gate.open(PauseReason.BROKER)
            await asyncio.sleep(2)
            assert len(scene.endpoint.asked) == 1

    run(scenario)


def test_a_query_that_waits_for_the_cap_does_not_start_where_the_broker_goes_away_meanwhile() -> None:
    async def scenario(scene: Scene) -> None:
        scene.follow("task-1")
        scene.follow("task-2")
        async with scene.tracking():
            await asyncio.sleep(15)
            assert len(scene.endpoint.asked) == 1
            scene.gate.close(PauseReason.BROKER, "why")
            await asyncio.sleep(100)
            assert len(scene.endpoint.asked) == 1

    run(scenario, max_rps=0.1)


@pytest.mark.parametrize("reason", HeldOffReason)
def test_queries_in_vain_pause_all_of_them_for_longer_and_longer(reason: HeldOffReason) -> None:
    async def scenario(scene: Scene) -> None:
        for number in range(20):
            scene.follow(f"task-{number}")
            scene.endpoint.says[f"task-{number}"] = HeldOff(reason)
        async with scene.tracking():
            await asyncio.sleep(400)
        times = scene.endpoint.times
        waits = [later - earlier for earlier, later in pairwise(times)]
        assert waits[:5] == pytest.approx([5, 10, 20, 40, 60], abs=1.2)
        assert all(wait >= 59.9 for wait in waits[4:])
        (held,) = scene.observer.of(QueriesHeld)
        assert held.reason is reason
        assert held.seconds == pytest.approx(5.0)

    run(scenario)


def test_a_retry_after_makes_the_pause_longer_and_never_shorter() -> None:
    async def scenario(scene: Scene) -> None:
        scene.endpoint.says["task-1"] = HeldOff(HeldOffReason.THROTTLED, retry_after=90.0)
        scene.follow("task-1")
        async with scene.tracking():
            await asyncio.sleep(10)
            scene.endpoint.says["task-1"] = HeldOff(HeldOffReason.THROTTLED, retry_after=1.0)
            await asyncio.sleep(200)
        first, second, third = scene.endpoint.times[:3]
        assert second - first >= 90.0
        assert third - second >= 10.0

    run(scenario)


def test_no_retry_after_keeps_queries_away_for_longer_than_an_hour() -> None:
    async def scenario(scene: Scene) -> None:
        scene.endpoint.says["task-1"] = HeldOff(HeldOffReason.THROTTLED, retry_after=86_400.0)
        scene.follow()
        async with scene.tracking():
            await asyncio.sleep(4000)
        first, second = scene.endpoint.times
        assert 3600 <= second - first <= 3602

    run(scenario)


def test_after_an_answer_the_pauses_begin_anew() -> None:
    async def scenario(scene: Scene) -> None:
        scene.endpoint.says["task-1"] = THROTTLED
        scene.follow()
        async with scene.tracking():
            await asyncio.sleep(50)
            del scene.endpoint.says["task-1"]
            await asyncio.sleep(100)
            scene.endpoint.says["task-1"] = THROTTLED
            await asyncio.sleep(100)
        assert [round(held.seconds) for held in scene.observer.of(QueriesHeld)] == [5, 5]

    run(scenario)


def test_tasks_that_are_held_off_together_pause_once() -> None:
    async def scenario(scene: Scene) -> None:
        scene.endpoint.takes = 1.0
        for number in range(10):
            scene.follow(f"task-{number}")
            scene.endpoint.says[f"task-{number}"] = THROTTLED
        async with scene.tracking():
            await asyncio.sleep(18)
        assert len(scene.endpoint.asked) == 20

    run(scenario, policy=replace(POLICY, at_once=10), max_rps=1e9)


def test_no_more_queries_start_in_a_second_than_the_cap_allows() -> None:
    async def scenario(scene: Scene) -> None:
        for number in range(200):
            scene.follow(f"task-{number}")
        async with scene.tracking():
            await asyncio.sleep(105)
        times = scene.endpoint.times
        assert max(sum(start <= at < start + 0.999 for at in times) for start in times) <= 2
        assert 190 <= len(times) <= 201

    run(scenario, policy=replace(POLICY, at_once=2), max_rps=2.0)


def test_each_task_is_asked_for_in_its_turn_where_there_are_too_many() -> None:
    async def scenario(scene: Scene) -> None:
        for number in range(100):
            scene.follow(f"task-{number}")
        async with scene.tracking():
            await asyncio.sleep(240)
        counts = [sum(asked == f"task-{number}" for _, asked in scene.endpoint.asked) for number in range(100)]
        assert min(counts) >= 1
        assert max(counts) - min(counts) <= 2

    run(scenario, max_rps=1.0)


def test_a_query_that_hangs_keeps_no_other_task_waiting() -> None:
    async def scenario(scene: Scene) -> None:
        scene.endpoint.hangs.add("hangs")
        scene.follow("hangs")
        scene.follow("runs")
        async with scene.tracking():
            await asyncio.sleep(50)
        asked = [task_id for _, task_id in scene.endpoint.asked]
        assert asked.count("hangs") == 1
        assert asked.count("runs") >= 5

    run(scenario, policy=replace(POLICY, at_once=2))


def test_no_more_queries_are_under_way_than_the_policy_allows() -> None:
    async def scenario(scene: Scene) -> None:
        for number in range(5):
            scene.follow(f"task-{number}")
            scene.endpoint.hangs.add(f"task-{number}")
        async with scene.tracking():
            await asyncio.sleep(LEASE - 10)
        assert len(scene.endpoint.asked) == 3

    run(scenario, policy=replace(POLICY, at_once=3))


def test_a_task_that_waits_for_the_cap_is_there_for_another_worker() -> None:
    async def scenario(scene: Scene) -> None:
        scene.follow("task-1")
        scene.follow("task-2")
        async with scene.tracking():
            await asyncio.sleep(70)
            assert len(scene.endpoint.asked) == 1
            assert await scene.tasks.take() is not None

    run(scenario, max_rps=0.02)


def test_two_workers_ask_for_a_task_one_at_a_time() -> None:
    async def scenario(scene: Scene) -> None:
        scene.endpoint.takes = 4.0
        scene.follow()
        async with scene.tracking(), scene.tracking():
            await asyncio.sleep(300)
        times = scene.endpoint.times
        assert min(later - earlier for earlier, later in pairwise(times)) >= 5.0

    run(scenario)


def test_a_drain_ends_a_query_at_once_and_nothing_is_lost() -> None:
    async def scenario(scene: Scene) -> None:
        scene.endpoint.takes = 1000.0
        scene.follow()
        async with scene.tracking() as running:
            await asyncio.sleep(10)
            assert scene.endpoint.under_way == 1
            scene.drain.begin()
            await asyncio.wait_for(running, 0.1)
            assert scene.endpoint.under_way == 0
        assert await scene.tasks.count() == 1
        assert not scene.publisher.confirmed

    run(scenario)


def test_a_defect_on_one_task_leaves_the_others_alone() -> None:
    async def scenario(scene: Scene) -> None:
        scene.follow("broken")
        scene.follow("whole")
        scene.endpoint.says.update({"broken": ValueError("a defect"), "whole": Succeeded((URL,))})
        async with scene.tracking():
            await asyncio.sleep(30)
        assert [body["task_id"] for body in scene.told()] == ["whole"]
        assert [fact.request_id for fact in scene.observer.of(DefectFound)] == ["request of broken"]
        assert await scene.tasks.count() == 1

    run(scenario)


def test_each_query_and_how_many_tasks_are_followed_are_told() -> None:
    async def scenario(scene: Scene) -> None:
        scene.follow()
        async with scene.tracking():
            await asyncio.sleep(15)
        assert {fact.result for fact in scene.observer.of(TaskPolled)} == {QueryClass.UNDER_WAY}
        assert [fact.count for fact in scene.observer.of(TasksPending)] == [1, 1]

    run(scenario)


def test_a_ledger_with_a_defect_ends_nothing_and_is_told() -> None:
    async def scenario(scene: Scene) -> None:
        defect = ValueError("a row that nobody can read")
        scene.tasks.broken = defect
        scene.endpoint.says["task-1"] = Succeeded((URL,))
        scene.follow()
        async with scene.tracking():
            await asyncio.sleep(10)
            assert [fact.error for fact in scene.observer.of(DefectFound)][:1] == [defect]
            scene.tasks.broken = None
            await asyncio.sleep(5)
        assert len(scene.told()) == 1

    run(scenario)


def test_that_there_are_more_tasks_than_queries_is_told_once_and_again_after_it_was_over() -> None:
    async def scenario(scene: Scene) -> None:
        for number in range(601):
            scene.follow(f"task-{number}")
        async with scene.tracking():
            await asyncio.sleep(100)
            (advice,) = scene.observer.of(Advice)
            assert "601 tasks" in advice.text
            assert "VIDEOGEN_TRACKING__MAX_RPS" in advice.text
            await scene.tasks.done("task-0")
            await asyncio.sleep(15)
            scene.follow("task-601")
            await asyncio.sleep(100)
            assert len(scene.observer.of(Advice)) == 2

    run(scenario, replace(POLICY, first=1e5, cap=60.0))
