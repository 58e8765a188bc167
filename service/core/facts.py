"""Small frozen facts that the worker reports; metrics and logs listen (`ports.Observer`)."""

from datetime import datetime
from enum import StrEnum

from service.core.call import CallResult
from service.core.outcome import Outcome
from service.core.task_facts import TaskFact
from service.core.value_class import value_class


class LinkRole(StrEnum):
    """The two broker connections."""

    CONSUME = "consume"
    PUBLISH = "publish"


class RetryReason(StrEnum):
    """Why a call is made again within the first tier."""

    NOT_SENT = "not_sent"
    THROTTLED = "throttled"
    REFUSED_FOR_NOW = "refused_for_now"
    UNCERTAIN = "uncertain"


class PauseReason(StrEnum):
    """Why no call may start, and so no message is taken."""

    BLOCKED = "blocked"
    ENDPOINT_DOWN = "endpoint_down"
    LEDGER = "ledger"
    BROKER = "broker"


class PublishAttempt(StrEnum):
    """How one try to publish ended."""

    CONFIRMED = "confirmed"
    RETURNED = "returned"
    NACKED = "nacked"
    TIMEOUT = "timeout"
    LOST = "lost"


@value_class
class Received:
    """A message arrived. `queue_wait` is seconds since its `timestamp`, None without one."""

    redelivered: bool
    at: datetime
    queue_wait: float | None


@value_class
class CallEnded:
    """One call to the endpoint ended after `seconds`."""

    request_id: str
    result: CallResult
    seconds: float
    attempt: int


@value_class
class RetryPlanned:
    """The first tier waits `delay` seconds before it calls again."""

    request_id: str
    reason: RetryReason
    delay: float
    attempt: int


@value_class
class CallPrevented:
    """A call was not made, because an earlier one was accepted (`in_doubt` false) or may have been."""

    request_id: str
    in_doubt: bool


@value_class
class Settled:
    """A delivery was settled, `seconds` after it arrived. `parked`: its result went to `undelivered`."""

    request_id: str
    correlation_id: str
    outcome: Outcome
    seconds: float
    redelivered: bool
    parked: bool = False


@value_class
class Joined:
    """A copy of a request that is still running arrived; it shares that call and its outcome (`duplicate`)."""

    request_id: str
    redelivered: bool


@value_class
class SettlementAbandoned:
    """A request ended without a reply: the drain ran out of time, or a defect stood in the way.

    `outcome` is None while the request was still being worked on. A `Submitted` outcome here is a paid task
    whose result nobody has got, so its task id must be logged. `rescued`: a copy goes to the dead-letter queue.
    """

    request_id: str
    outcome: Outcome | None
    rescued: bool = False


@value_class
class DefectFound:
    """An exception nobody expected. `error` is for the log only."""

    request_id: str
    error: Exception


@value_class
class Published:
    """One try to publish a message ended after `seconds`. `is_result` tells results from copies of requests."""

    attempt: PublishAttempt
    seconds: float
    is_result: bool


@value_class
class LinkUp:
    """A broker connection is ready for use. `first` is false after a reconnect."""

    role: LinkRole
    first: bool


@value_class
class LinkDown:
    """A broker connection was lost or could not be made; the next try is in `retry_in` seconds."""

    role: LinkRole
    reason: str
    retry_in: float


@value_class
class ConsumerActive:
    """The broker confirmed (or ended) our consumer."""

    active: bool


@value_class
class BrokerBlocked:
    """The broker began or ceased to hold our publishes back (memory or disk alarm)."""

    blocked: bool


@value_class
class QueueRefuses:
    """A queue of our own keeps refusing what must be kept in it, or does so no more."""

    queue: str
    refuses: bool


@value_class
class ConsumptionPaused:
    """Calls stop or may start again, as far as `reason` is concerned. `why` is one sentence, empty at the end."""

    reason: PauseReason
    paused: bool
    why: str = ""


@value_class
class PaceChanged:
    """How many calls may start in a second, as far as a limit of the endpoint is known, and be in flight at once.

    `rate` is None while no limit is known. It grows all the time; small steps are not told.
    """

    rate: float | None
    concurrency: int


@value_class
class Probing:
    """One message is let through a pause to see whether it is over; the next one would be in `next_in` seconds."""

    request_id: str
    next_in: float


@value_class
class RecordMissing:
    """A call ended and the ledger did not take what it came to in time; it is told again when the ledger is back.

    `task_id` is that of an accepted call. A crash before then makes the request one in doubt.
    """

    request_id: str
    task_id: str | None


@value_class
class KeyChanged:
    """The endpoint's key was read anew."""


@value_class
class Advice:
    """Something that the operator should know and that stops nothing; `text` says what to do and holds no secret."""

    text: str


@value_class
class DrainStarted:
    """The worker stops taking messages; `in_flight` requests are still worked on."""

    in_flight: int


@value_class
class LoopLag:
    """The event loop ran a timer `seconds` late."""

    seconds: float


Fact = (
    Received
    | CallEnded
    | RetryPlanned
    | CallPrevented
    | Settled
    | Joined
    | SettlementAbandoned
    | DefectFound
    | Published
    | LinkUp
    | LinkDown
    | ConsumerActive
    | BrokerBlocked
    | QueueRefuses
    | ConsumptionPaused
    | PaceChanged
    | Probing
    | RecordMissing
    | KeyChanged
    | Advice
    | DrainStarted
    | LoopLag
    | TaskFact
)
