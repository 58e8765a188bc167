"""Remembers every POST, and lets tests wait for what they expect instead of sleeping."""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from itertools import islice

from service.simulator.per_request import PerRequest
from service.simulator.post import Label, Post

# What is listed by name in a summary stays short, however long the run.
_NAMED = 100
_ANSWERS = 20


class Record:
    """The POSTs, oldest first; beyond `limit` the oldest are forgotten, but stay in the counts."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._posts: OrderedDict[int, Post] = OrderedDict()
        self._per_request = PerRequest()
        self._waits: list[tuple[Callable[[Record], bool], asyncio.Future[None]]] = []
        self._last_sequence = 0
        self._in_flight = 0
        self._start_counts()

    def _start_counts(self) -> None:
        self._first_sequence = self._last_sequence + 1
        self._accepted = 0
        self._peak = self._in_flight
        self._labels: Counter[Label] = Counter()
        self._statuses: Counter[int | None] = Counter()

    @property
    def posts(self) -> tuple[Post, ...]:
        """All remembered POSTs."""
        return tuple(self._posts.values())

    def posts_for(self, request_id: str) -> tuple[Post, ...]:
        """All remembered POSTs with this `Idempotency-Key`."""
        return tuple(self._posts[sequence] for sequence in self._per_request.sequences(request_id))

    def requests(self) -> Iterator[dict[str, object]]:
        """Tell of each remembered request, oldest first, what became of its POSTs."""
        return (self.request(key) for key in self._per_request)

    def request(self, request_id: str) -> dict[str, object]:
        """Tell what became of the POSTs of one request; `answers` are the last 20."""
        posts = self.posts_for(request_id)
        return {
            "idempotency_key": request_id,
            "posts": len(posts),
            "accepted": sum(post.accepted for post in posts),
            "called_again": self._per_request.called_again_of(request_id),
            "answers": [post.answered for post in posts[-_ANSWERS:]],
        }

    @property
    def count(self) -> int:
        """How many POSTs came in since the start or the last `clear`."""
        return self._last_sequence - self._first_sequence + 1

    @property
    def accepted(self) -> int:
        """How many of them were accepted, and so charged."""
        return self._accepted

    @property
    def in_flight(self) -> int:
        """How many POSTs wait for their answer now."""
        return self._in_flight

    @property
    def peak(self) -> int:
        """How many POSTs waited at once at most."""
        return self._peak

    def arrive(self, *, key: str | None, traceparent: str | None, body: object, at: datetime) -> int:
        """Note a POST as in flight and return its sequence number."""
        self._last_sequence += 1
        sequence = self._last_sequence
        self._in_flight += 1
        self._peak = max(self._peak, self._in_flight)
        self._posts[sequence] = Post(sequence, at, key, traceparent, body, self._in_flight, self._peak)
        self._per_request.arrive(key, sequence)
        if len(self._posts) > self._limit:
            self._forget_oldest()
        self._wake()
        return sequence

    def accept(self, sequence: int, task_id: str) -> None:
        """Note that a task was made, and so charged, for this POST."""
        if post := self._posts.get(sequence):
            self._posts[sequence] = replace(post, accepted=True, task_id=task_id)
            self._per_request.accept(post.idempotency_key)
        if sequence >= self._first_sequence:
            self._accepted += 1
        self._wake()

    def end(self, sequence: int, status: int | None, label: Label, *, could_be_accepted: bool) -> None:
        """Note that this POST is answered, or never will be: then `status` is None."""
        self._in_flight -= 1
        if post := self._posts.get(sequence):
            self._posts[sequence] = replace(post, status=status, label=label, could_be_accepted=could_be_accepted)
            self._per_request.end(post.idempotency_key, could_be_accepted=could_be_accepted)
        if sequence >= self._first_sequence:
            self._labels[label] += 1
            self._statuses[status] += 1
        self._wake()

    def clear(self) -> None:
        """Forget all POSTs and counts. Calls in flight stay in flight; sequence numbers go on."""
        self._posts.clear()
        self._per_request.clear()
        self._start_counts()

    def summary(self) -> dict[str, object]:
        """Count what happened since the start or the last `clear`; at most 100 requests are named of each kind."""
        paid_again, called_again = self._per_request.accepted_more_than_once, self._per_request.called_again
        pending = self.count - self._labels.total()
        return {
            "posts": self.count,
            "accepted": self._accepted,
            "in_flight": self._in_flight,
            "peak_in_flight": self._peak,
            "labels": {label: self._labels[label] for label in Label} | {Label.PENDING: pending},
            "statuses": {str(status or "none"): times for status, times in self._statuses.items()},
            "requests": {
                "seen": len(self._per_request),
                "accepted": self._per_request.accepted,
                "accepted_more_than_once": len(paid_again),
                "called_again": len(called_again),
            },
            "accepted_more_than_once": dict(islice(paid_again.items(), _NAMED)),
            "called_again": dict(islice(called_again.items(), _NAMED)),
            "forgotten": self.count - len(self._posts),
        }

    async def wait_for(self, count: int) -> None:
        """Wait until at least `count` POSTs came in."""
        await self.wait_until(lambda record: record.count >= count)

    async def wait_in_flight(self, n: int) -> None:
        """Wait until at least `n` POSTs wait for their answer at once."""
        await self.wait_until(lambda record: record.in_flight >= n)

    async def wait_idle(self) -> None:
        """Wait until no POST is in flight."""
        await self.wait_until(lambda record: record.in_flight == 0)

    async def wait_until(self, holds: Callable[["Record"], bool]) -> None:
        """Wait until `holds(record)` is true; it is asked at each change, so no passing state is missed."""
        if holds(self):
            return
        wait = (holds, asyncio.get_running_loop().create_future())
        self._waits.append(wait)
        try:
            await wait[1]
        finally:
            self._waits.remove(wait)

    def _wake(self) -> None:
        for holds, future in self._waits:
            if not future.done() and holds(self):
                future.set_result(None)

    def _forget_oldest(self) -> None:
        _, post = self._posts.popitem(last=False)
        self._per_request.forget(post)
