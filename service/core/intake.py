"""Runs every request in a task of ours, so that no fault of a channel or connection can cut a paid call."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from service.core.drain import Drain
from service.core.facts import DefectFound, Joined, Received, Settled, SettlementAbandoned
from service.core.handling import Handler
from service.core.identity import identify
from service.core.memory import Answered, Memory
from service.core.outcome import Handled, Interrupted, Outcome
from service.core.ports import Clock, Incoming, Observer
from service.core.settlement import settle
from service.core.settling import Copy, Settler


@dataclass(slots=True)
class _Job:
    copies: deque[Copy]
    began: float
    answered: Answered | None
    first: Copy = field(init=False)
    task: asyncio.Task[None] = field(init=False)

    def __post_init__(self) -> None:
        self.first = self.copies[0]

    @property
    def outcome(self) -> Outcome | None:
        """What the request came to, as far as that is known."""
        return None if self.answered is None else self.answered.handled.outcome


class Intake:
    """Takes deliveries in and sees each of them settled.

    A copy of a request that is still running joins it: one call, and every copy is acked after the result. A copy of
    one that was answered, and may have been paid for, is settled with that answer and without a call.
    """

    def __init__(
        self,
        handler: Handler,
        settler: Settler,
        drain: Drain,
        clock: Clock,
        observer: Observer,
        new_id: Callable[[], str],
    ) -> None:
        self._handler = handler
        self._settler = settler
        self._drain = drain
        self._clock = clock
        self._observer = observer
        self._new_id = new_id
        self._memory = Memory()
        self._jobs: dict[str, _Job] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def in_flight(self) -> int:
        """How many requests are being worked on."""
        return len(self._jobs)

    def accept(self, incoming: Incoming) -> None:
        """Take a delivery in. Returns at once; the work is done in a task of its own."""
        _ = self._take_in(incoming)

    async def settle_one(self, incoming: Incoming) -> None:
        """Take a delivery in and wait until its request is settled."""
        # Not awaited directly: whoever gives up waiting must not cut the work.
        await asyncio.wait({self._take_in(incoming)})

    def _take_in(self, incoming: Incoming) -> asyncio.Task[None]:
        delivery = incoming.delivery
        now = self._clock.now()
        wait = None if delivery.timestamp is None else max(0.0, (now - delivery.timestamp).total_seconds())
        self._observer.notify(Received(delivery.redelivered, now, wait))
        copy = Copy(incoming, identify(delivery, self._new_id))
        request_id = copy.identity.request_id
        if (job := self._jobs.get(request_id)) is not None:
            job.copies.append(copy)
            self._observer.notify(Joined(request_id, delivery.redelivered))
            return job.task
        job = _Job(deque([copy]), self._clock.monotonic(), self._recall(copy))
        self._jobs[request_id] = job
        job.task = asyncio.create_task(self._work(job), name=f"request {request_id}")
        self._tasks.add(job.task)
        job.task.add_done_callback(self._tasks.discard)
        return job.task

    def _recall(self, copy: Copy) -> Answered | None:
        request_id, redelivered = copy.identity.request_id, copy.incoming.delivery.redelivered
        answered = self._memory.recall(request_id, redelivered=redelivered)
        if answered is not None:
            self._observer.notify(Joined(request_id, redelivered))
            if not redelivered:
                # Somebody published it anew and waits for the answer, also at an address that had it before.
                answered.told.discard(copy.address)
        return answered

    async def finished(self) -> None:
        """Wait until every request taken in is settled."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def abandon(self) -> int:
        """Give up on what is not settled yet, naming each request in a fact; tell how many there were."""
        abandoned = list(self._jobs.values())
        for job in abandoned:
            self._observer.notify(SettlementAbandoned(job.first.identity.request_id, job.outcome))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for job in abandoned:
            # A task that is cancelled before it ran once never reaches its `finally`.
            if self._jobs.get(job.first.identity.request_id) is job:
                del self._jobs[job.first.identity.request_id]
        return len(abandoned)

    async def _work(self, job: _Job) -> None:
        identity = job.first.identity
        recalled = job.answered is not None
        try:
            answered = job.answered = await self._answer(job.first) if job.answered is None else job.answered
            parked = await self._settler.settle(answered, job.copies)
        except Exception as error:  # noqa: BLE001 - a defect here must leave no request unsettled and unnamed
            self._observer.notify(DefectFound(identity.request_id, error))
            await self._rescue(job)
            return
        finally:
            # No await between the last ack and this: a copy that arrives later finds the memory.
            del self._jobs[identity.request_id]
            if job.answered is not None and not identity.made_up:
                self._memory.keep(identity.request_id, job.answered)
        if not recalled:
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
        self._observer.notify(SettlementAbandoned(request_id, job.outcome))
        if job.outcome is None:
            return
        try:
            await self._settler.rescue(job.outcome, job.copies)
        except Exception as error:  # noqa: BLE001 - the message stays with the broker
            self._observer.notify(DefectFound(request_id, error))
