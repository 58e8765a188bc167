"""What the core needs from the world. Each adapter keeps one of these and lets no foreign exception out."""

import math
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from datetime import datetime
from typing import Protocol

from service.core.call import Call, CallResult
from service.core.delivery import Delivery, Identity
from service.core.facts import Fact
from service.core.ledger import Claim, Found, Known, Permit
from service.core.outgoing import Outgoing, PublishVerdict
from service.core.pending_task import Follow, PendingTask
from service.core.placement import AlreadyKnown, GivenBack, Placed, RunningElsewhere
from service.core.task_query import QueryResult


class Clock(Protocol):
    """Time, injected so that tests own it."""

    def now(self) -> datetime:
        """Tell the wall clock time, with zone UTC."""
        ...

    def monotonic(self) -> float:
        """Tell seconds since some fixed point; never goes back."""
        ...


class Endpoint(Protocol):
    """The paid endpoint."""

    async def submit(self, call: Call) -> CallResult:
        """Send one call, once. Every failure comes back as a value; only cancellation is raised."""
        ...


class Ledger(Protocol):
    """Keeps what must outlive a crash; `core.ledger` defines every transition.

    When a call comes back, its entry is as durable as the adapter promises. Each raises `LedgerUnavailable`; `claim`
    and `find` raise `EntryDamaged`.
    """

    async def claim(self, request_id: str, attempt: int, permit: Permit) -> Claim:
        """Put the intent to make the `attempt`-th call on record, unless what is there forbids it."""
        ...

    async def find(self, request_id: str) -> Found:
        """Tell what is known of a request, without a claim."""
        ...

    async def release(self, request_id: str) -> None:
        """Take our intent off the record: the call was surely not accepted."""
        ...

    async def record(self, request_id: str, known: Known, follow: Follow | None = None) -> None:
        """Put on record what a call came to and, in the same transaction, the task to `follow`.

        A task that is followed already is left as it is.
        """
        ...

    async def ping(self) -> None:
        """Make sure that the ledger would take a claim now."""
        ...


class PendingTasks(Protocol):
    """The tasks that are followed, by all workers of a ledger. Each raises `LedgerUnavailable`."""

    async def take(self) -> PendingTask | None:
        """Take the task that has been due for longest; None: none is.

        It comes due again at the end of a lease, unless `reschedule` or `done` is called before.
        """
        ...

    async def reschedule(self, task_id: str, wait: float) -> None:
        """Have a task come due in `wait` seconds. Harmless where it is not followed."""
        ...

    async def done(self, task_id: str) -> None:
        """Follow a task no longer. Harmless where it is not followed."""
        ...

    async def count(self) -> int:
        """Count the tasks that are followed."""
        ...


class TaskQuery(Protocol):
    """Asks the endpoint for a task; this costs nothing."""

    async def ask(self, task_id: str) -> QueryResult:
        """Ask once. Every failure comes back as a value; only cancellation is raised."""
        ...


class Consumption(Protocol):
    """The flow of deliveries, which can be stopped and started again."""

    async def pause(self) -> None:
        """Let no further delivery come. Those on their way still do. Harmless where nothing flows."""
        ...

    async def resume(self) -> None:
        """Let deliveries come again, as soon as the link is up."""
        ...

    async def take_one(self) -> "Incoming | None":
        """Fetch one message while paused; None where the queue is empty or the link is down."""
        ...


class Caller(Protocol):
    """Places a call and repeats it where that is safe: the first retry tier."""

    async def place(self, call: Call, deadline: datetime | None) -> Placed:
        """Call until the result is final, the retry budget or the deadline ends, or no call may start."""
        ...

    async def look_up(self, request_id: str) -> AlreadyKnown | RunningElsewhere | GivenBack | None:
        """Tell what is known of a request that must not be called; None where nothing is."""
        ...


class Turn(Protocol):
    """One place among the calls in flight, and the right to make one call."""

    def may_start(self) -> bool:
        """Tell whether the call may still start. It is asked once, just before; after a yes the call counts as made."""
        ...

    def came_to(self, result: CallResult) -> None:
        """Hear what the call came to."""
        ...


class Admission(Protocol):
    """Decides when a call may start."""

    def turn(self, patience: float = math.inf) -> AbstractAsyncContextManager[Turn]:
        """Wait for a turn, at most `patience` seconds where a place and the rate allow none at once, and hold it.

        Raises:
            Draining: the worker stops, no further call starts.
            GateClosed: the endpoint takes no calls for now.
            HeldTooLong: broker or ledger stayed away.
            TurnMissed: no turn came in time.
        """
        ...

    async def pause(self, seconds: float) -> None:
        """Wait between two attempts.

        Raises:
            Draining: the worker stops.
            GateClosed: the endpoint takes no calls for now.
        """
        ...


class CallCap(Protocol):
    """The most calls that may start in a second, whatever the endpoint takes."""

    def ready(self) -> bool:
        """Tell whether a call may start now; `acquire` then does not wait."""
        ...

    async def acquire(self) -> None:
        """Wait until one more call may start, and count it."""
        ...


class Publisher(Protocol):
    """Publishes with confirms; lives through lost connections."""

    async def publish(self, message: Outgoing) -> PublishVerdict:
        """Publish to a route that others own, and tell the broker's final word.

        `returned`: no queue is there. `nacked`: the queue kept refusing. Waits for as long as the broker is away;
        each try carries a `message_id` of its own.
        """
        ...

    async def keep(self, message: Outgoing) -> None:
        """Publish to a queue of our own and come back only when it is confirmed; a missing queue is declared again."""
        ...

    async def try_keep(self, message: Outgoing) -> bool:
        """Do the same, but give up on a queue that keeps refusing it; tell whether it was confirmed."""
        ...


class Incoming(Protocol):
    """A delivery together with the right to settle it, exactly once. A second settle raises RuntimeError."""

    @property
    def delivery(self) -> Delivery:
        """The message."""
        ...

    async def ack(self) -> None:
        """Tell the broker that the message has its result. Harmless where the channel is gone."""
        ...

    async def hand_back(self) -> None:
        """Give the message back to the queue. Harmless where the channel is gone."""
        ...


class Tracing(Protocol):
    """Follows requests through the worker. Calls and publishes are followed by what wraps their ports."""

    def processing(self, delivery: Delivery, identity: Identity) -> AbstractContextManager[object]:
        """Stand for the work on one message, in the task that enters it, until it leaves. Raises nothing of its own."""
        ...


class Observer(Protocol):
    """Hears facts; metrics and logs are observers."""

    def notify(self, fact: Fact) -> None:
        """Take notice. Must not raise and must not block."""
        ...
