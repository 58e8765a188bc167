"""Runs every request in a task of ours, so that no fault of a channel or connection can cut a paid call."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field

from service.core.delivery import Delivery
from service.core.drain import Drain
from service.core.facts import DefectFound, Joined, Received, Settled, SettlementAbandoned
from service.core.handling import Handler
from service.core.identity import identify
from service.core.memory import Answered, Memory
from service.core.outcome import Handled, Interrupted, Outcome
from service.core.ports import Clock, Incoming, Observer, Tracing
from service.core.settlement import MoveThenAck, settle
from service.core.settling import Copy, Settler
from service.core.untraced import Untraced

_UNTRACED = Untraced()


@dataclass(slots=True)
class _Job:
    """A request at work. `seen` holds the messages of all its copies; `known` is set when its outcome is known.

    `told`: a fact has told how its first copy ended.
    """

    first: Copy
    began: float
    answered: Answered | None
    told: bool = field(init=False)
    task: asyncio.Task[None] = field(init=False)
    copies: deque[Copy] = field(default_factory=deque)
    seen: list[Delivery] = field(default_factory=list)
    known: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.told = self.answered is not None
        self.join(self.first)

    def join(self, copy: Copy) -> None:
        """Settle a copy together with the others."""
        self.copies.append(copy)
        self.seen.append(copy.incoming.delivery)

    @property
    def moves(self) -> bool:
        """Whether its messages are published anew, to a wait queue or to the end of their own."""
        return self.answered is not None and isinstance(self.answered.settlement, MoveThenAck)

    @property
    def outcome(self) -> Outcome | None:
        """What the request came to, as far as that is known."""
        return None if self.answered is None else self.answered.handled.outcome


class Intake:
    """Takes deliveries in and sees each of them settled.

    A copy of a request that is still running joins it: one call, and every copy is acked after the result. One that
    comes in while the request's message is being moved begins anew after that. A message
    that was settled here before, and whose ack was lost, is settled in the same way again.
    """

    def __init__(
        self,
        handler: Handler,
        settler: Settler,
        drain: Drain,
        clock: Clock,
        observer: Observer,
        new_id: Callable[[], str],
        tracing: Tracing = _UNTRACED,
    ) -> None:
        self._handler = handler
        self._settler = settler
        self._drain = drain
        self._clock = clock
        self._observer = observer
        self._new_id = new_id
        self._tracing = tracing
        self._memory = Memory()
        self._jobs: dict[str, _Job] = {}
        self._held: list[Copy] = []
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def in_flight(self) -> int:
        """How many requests are being worked on."""
        return len(self._jobs)

    def accept(self, incoming: Incoming) -> None:
        """Take a delivery in. Returns at once; the work is done in a task of its own."""
        self._take_in(incoming)

    def try_one(self, incoming: Incoming) -> Awaitable[object]:
        """Take a delivery in at once, and give something to wait on until it is known what its request came to."""
        return self._take_in(incoming).known.wait()

    def _take_in(self, incoming: Incoming) -> _Job:
        delivery = incoming.delivery
        now = self._clock.now()
        wait = None if delivery.timestamp is None else max(0.0, (now - delivery.timestamp).total_seconds())
        self._observer.notify(Received(delivery.redelivered, now, wait))
        return self._begin_or_join(Copy(incoming, identify(delivery, self._new_id)))

    def _begin_or_join(self, copy: Copy) -> _Job:
        request_id, delivery = copy.identity.request_id, copy.incoming.delivery
        if (job := self._jobs.get(request_id)) is not None:
            if not job.moves and copy.replay in (None, job.first.replay):
                job.join(copy)
                self._observer.notify(Joined(request_id, delivery.redelivered))
            else:
                # What a forced replay allows, the call that is running does not know of. And what comes in during a
                # move may be the message that was moved: acked together with the one that it was, it would be lost.
                self._held.append(copy)
                _ = self._spawn(self._begin_after(job, copy), f"{request_id} once more")
            return job
        now = self._clock.monotonic()
        job = _Job(copy, now, self._memory.recall(delivery, now))
        if job.told:
            self._observer.notify(Joined(request_id, delivery.redelivered))
        self._jobs[request_id] = job
        job.task = self._spawn(self._work(job), f"request {request_id}")
        return job

    async def _begin_after(self, job: _Job, copy: Copy) -> None:
        await asyncio.wait({job.task})
        self._held.remove(copy)
        self._begin_or_join(copy)

    def _spawn(self, work: Coroutine[None, None, None], name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def finished(self) -> None:
        """Wait until every request taken in is settled."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def abandon(self) -> int:
        """Give up on what is not settled yet, naming each request in a fact; tell how many there were."""
        abandoned = list(self._jobs.values())
        for job in abandoned:
            # One that was recalled, or is being rescued, was told before.
            if not job.told:
                self._observer.notify(SettlementAbandoned(job.first.identity.request_id, job.outcome))
        for copy in self._held:
            self._observer.notify(SettlementAbandoned(copy.identity.request_id, None))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for job in abandoned:
            # A task that is cancelled before it ran once never reaches its `finally`.
            if self._jobs.get(job.first.identity.request_id) is job:
                del self._jobs[job.first.identity.request_id]
        count = len(abandoned) + len(self._held)
        self._held.clear()
        return count

    async def _work(self, job: _Job) -> None:
        with self._tracing.processing(job.first.incoming.delivery, job.first.identity):
            await self._see_to(job)

    async def _see_to(self, job: _Job) -> None:
        identity = job.first.identity
        try:
            answered = job.answered = await self._answer(job.first) if job.answered is None else job.answered
            job.known.set()
            parked = await self._settler.settle(answered, job.copies)
        except Exception as error:  # noqa: BLE001 - a defect here must leave no request unsettled and unnamed
            self._observer.notify(DefectFound(identity.request_id, error))
            await self._rescue(job)
            return
        finally:
            # No await between the last ack and this: a copy that arrives later finds the memory.
            del self._jobs[identity.request_id]
            job.known.set()
            # Two messages without an id may look the same and stand for two videos.
            if job.answered is not None and not identity.made_up:
                for delivery in job.seen:
                    self._memory.keep(delivery, job.answered, self._clock.monotonic())
        if not job.told:
            self._observer.notify(
                Settled(
                    request_id=identity.request_id,
                    correlation_id=identity.correlation_id,
                    outcome=answered.handled.outcome,
                    seconds=self._clock.monotonic() - job.began,
                    redelivered=job.first.incoming.delivery.redelivered,
                    parked=parked,
                )
            )

    async def _answer(self, copy: Copy) -> Answered:
        if self._drain.begun:
            handled = Handled(Interrupted(attempts=0))
        else:
            handled = await self._handler.handle(copy.incoming.delivery, copy.identity)
        return Answered(handled, settle(handled, copy.identity.request_id, self._clock.now()))

    async def _rescue(self, job: _Job) -> None:
        request_id = job.first.identity.request_id
        if not job.told:
            self._observer.notify(SettlementAbandoned(request_id, job.outcome, rescued=job.outcome is not None))
            job.told = True
        if job.outcome is None:
            return
        try:
            await self._settler.rescue(job.outcome, job.copies)
        except Exception as error:  # noqa: BLE001 - the message stays with the broker
            self._observer.notify(DefectFound(request_id, error))
