"""Follows tasks to their end: asks for those that are due, and tells how each ended."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from service.core.completion import CompletionStatus, Lost, completion_of
from service.core.drain import Drain
from service.core.facts import Advice, DefectFound, PauseReason
from service.core.gate import Gate
from service.core.ledger import LedgerUnavailable
from service.core.outgoing import PublishVerdict
from service.core.pending_task import PendingTask, TrackingPolicy, is_given_up, next_wait
from service.core.ports import CallCap, Clock, Observer, PendingTasks, Publisher, TaskQuery
from service.core.replies import completion_message, undelivered_message
from service.core.task_facts import QueriesHeld, TaskCompleted, TaskPolled, TasksPending
from service.core.task_query import Ending, Failed, HeldOff, Missing, Succeeded, UnderWay, query_class
from service.core.topology import Topology

_LOOK = 1.0
"""Seconds between two looks for tasks that are due, where there are none or no query may start."""

_COUNT = 10.0
"""Seconds between two counts of all that is followed."""

_LONGEST_HOLD = 3600.0
"""Seconds that a server can ask for: it keeps results for a day, and must not have us sleep through it."""


# Where a task is asked for less often than that many times the longest wait, its end is told late.
_SELDOM = 10.0
_OVERTAXED = (
    "{count} tasks are followed, and each is asked for about every {wait:.0f} minutes: raise "
    "VIDEOGEN_TRACKING__MAX_RPS, or ends are told late, and as lost where the endpoint has forgotten the task"
)


class _Hold:
    """The pause of all queries after one in vain: `first` seconds, twice as long from time to time, at most `cap`."""

    def __init__(self, first: float, cap: float) -> None:
        self._first = first
        self._cap = cap
        self._next: float | None = None
        self._until = 0.0

    @property
    def left(self) -> float:
        """Seconds that are left of the pause."""
        return max(0.0, self._until - asyncio.get_running_loop().time())

    def begin(self, retry_after: float | None) -> bool:
        """Pause for as long as was asked for, if that is longer; tell whether the query before was answered."""
        is_first = self._next is None
        wait = min(retry_after or 0.0, _LONGEST_HOLD)
        # Those that were under way together count as one.
        if self.left == 0.0:
            wait = max(wait, self._next or self._first)
            self._next = min(self._cap, 2 * (self._next or self._first))
        self._until = max(self._until, asyncio.get_running_loop().time() + wait)
        return is_first

    def end(self) -> None:
        """Begin with the first wait again: a query was answered."""
        self._next = None


@dataclass(frozen=True, slots=True)
class TrackingPorts:
    """What of the world a tracker needs."""

    tasks: PendingTasks
    query: TaskQuery
    publisher: Publisher
    cap: CallCap
    clock: Clock
    observer: Observer
    uniform: Callable[[], float]


class Tracker:
    """One worker's share in following tasks. It touches nothing that submissions wait for."""

    def __init__(
        self, ports: TrackingPorts, policy: TrackingPolicy, topology: Topology, gate: Gate, drain: Drain
    ) -> None:
        self._ports = ports
        self._policy = policy
        self._topology = topology
        self._gate = gate
        self._drain = drain
        self._hold = _Hold(policy.first, policy.cap)
        self._places = asyncio.Semaphore(policy.at_once)
        self._count_at = 0.0
        self._overtaxed = False

    async def run(self) -> None:
        """Follow tasks until the drain begins. What is under way then is given up at once, and comes due again."""
        async with asyncio.TaskGroup() as group:
            following = group.create_task(self._follow())
            await self._drain.wait()
            following.cancel()

    async def _follow(self) -> None:
        async with asyncio.TaskGroup() as group:
            while True:
                await self._places.acquire()
                group.create_task(self._attend(await self._next()))

    async def _next(self) -> PendingTask:
        """Wait until a query may start and a task is due; take it."""
        while True:
            # Before a task is taken: its lease must not run out while it waits for the cap.
            await self._ports.cap.acquire()
            if not self._is_barred and (task := await self._due()) is not None:
                return task
            await asyncio.sleep(_LOOK)

    @property
    def _is_barred(self) -> bool:
        # A query costs nothing, and what keeps paid calls back says nothing of tasks that were accepted. Without a
        # broker nothing could be told.
        return PauseReason.BROKER in self._gate.closed or self._hold.left > 0

    async def _due(self) -> PendingTask | None:
        try:
            await self._count_now_and_then()
            return await self._ports.tasks.take()
        except LedgerUnavailable:
            pass  # a claim that meets this closes the gate; nothing here is in a hurry
        except Exception as error:  # noqa: BLE001 - following tasks must not end the worker
            self._ports.observer.notify(DefectFound("tasks that are followed", error))
        return None

    async def _count_now_and_then(self) -> None:
        now = asyncio.get_running_loop().time()
        if now < self._count_at:
            return
        self._count_at = now + _COUNT
        count = await self._ports.tasks.count()
        self._ports.observer.notify(TasksPending(count))
        wait = count / self._policy.per_second
        if wait <= _SELDOM * self._policy.cap:
            self._overtaxed = False
        elif not self._overtaxed:
            self._overtaxed = True
            self._ports.observer.notify(Advice(_OVERTAXED.format(count=count, wait=wait / 60)))

    async def _attend(self, task: PendingTask) -> None:
        try:
            try:
                ended = await self._ask(task)
            finally:
                # A queue that confirms nothing must not keep the queries for other tasks waiting.
                self._places.release()
            if ended is not None:
                await self._tell(task, ended)
        except LedgerUnavailable:
            pass  # it comes due again when its lease ends
        except Exception as error:  # noqa: BLE001 - a defect on one task must not end the worker
            self._ports.observer.notify(DefectFound(task.request_id, error))

    async def _ask(self, task: PendingTask) -> Ending | Lost | None:
        """Ask for one task; tell how it ended, None where it has not and will be asked for again."""
        ports = self._ports
        began = ports.clock.monotonic()
        result = await ports.query.ask(task.task_id)
        kind = query_class(result)
        ports.observer.notify(TaskPolled(task.request_id, task.task_id, kind, ports.clock.monotonic() - began))
        if not isinstance(result, HeldOff):
            self._hold.end()
        elif self._hold.begin(result.retry_after):
            ports.observer.notify(QueriesHeld(result.reason, self._hold.left))
        age = (ports.clock.now() - task.submitted_at).total_seconds()
        if isinstance(result, Succeeded | Failed):
            return result
        if is_given_up(self._policy, age, answered=isinstance(result, UnderWay | Missing)):
            return Lost(kind)
        wait = next_wait(self._policy, age, ports.uniform())
        await ports.tasks.reschedule(task.task_id, max(wait, self._hold.left))
        return None

    async def _tell(self, task: PendingTask, ending: Ending | Lost) -> None:
        """Publish the completion, and only then follow the task no longer."""
        ports, now = self._ports, self._ports.clock.now()
        completion = completion_of(task, ending, now)
        message = completion_message(completion, task, self._topology, now)
        parked = await ports.publisher.publish(message) is not PublishVerdict.CONFIRMED
        if parked:
            await ports.publisher.keep(undelivered_message(message, self._topology))
        await ports.tasks.done(task.task_id)
        ports.observer.notify(
            TaskCompleted(task.request_id, task.task_id, CompletionStatus(completion.status), parked=parked)
        )
