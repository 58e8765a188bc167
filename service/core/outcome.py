"""What a request can come to. A closed union: `settlement` turns each member into a reply and a verdict."""

from datetime import datetime
from enum import StrEnum

from service.core.call import Answer
from service.core.contract import FieldProblem
from service.core.history import History
from service.core.ledger import SubmittedRecord
from service.core.topology import RetryTier
from service.core.value_class import value_class


@value_class
class Submitted:
    """The endpoint accepted the request: `record` is what the ledger keeps of it, and tells every later copy."""

    record: SubmittedRecord


@value_class
class Repeated:
    """The endpoint accepted an earlier copy of this request; no call was made for this one."""

    earlier: SubmittedRecord


@value_class
class Malformed:
    """The message is no request at all: not a JSON object, too large, encoded. `message` says which."""

    message: str


@value_class
class Invalid:
    """A request with wrong fields; `problems` lists every one of them."""

    problems: tuple[FieldProblem, ...]


@value_class
class Expired:
    """The deadline passed before a call that could have been accepted."""

    deadline: datetime
    attempts: int


@value_class
class Rejected:
    """The endpoint refused this request for good."""

    answer: Answer
    attempts: int


@value_class
class RateLimited:
    """Still refused with 429 when the retry budget ended."""

    answer: Answer
    attempts: int


@value_class
class Unavailable:
    """Never got through within the retry budget."""

    answer: Answer
    attempts: int


@value_class
class BlockedOut:
    """Key, permission or balance problem lasted past the retry budget."""

    answer: Answer
    attempts: int


@value_class
class InDoubt:
    """A call may have been accepted, and the request is not sent again.

    `later_failed`: that was an earlier one; `answer` is that of a later call, which surely was not accepted.
    """

    answer: Answer
    attempts: int
    later_failed: bool = False


@value_class
class Defect:
    """The worker itself failed. `called` is false only where provably no call was made.

    `earlier` calls were made for earlier deliveries.
    """

    called: bool
    earlier: int = 0


@value_class
class Interrupted:
    """The worker stops, or waited too long for a broker or ledger: the message goes back as it was."""

    attempts: int


@value_class
class Withdrawn:
    """The endpoint takes no calls for now: the message goes back to its queue, with its history."""

    history: History


@value_class
class Postponed:
    """The message goes to a wait queue, with its history, and comes back from there."""

    tier: RetryTier
    history: History


Failure = Malformed | Invalid | Expired | Rejected | RateLimited | Unavailable | BlockedOut | InDoubt | Defect
Return = Interrupted | Withdrawn | Postponed
Outcome = Submitted | Repeated | Failure | Return


class OutcomeLabel(StrEnum):
    """The `outcome` label of the metrics (spec section 7): partitions all requests."""

    SUBMITTED = "submitted"
    DUPLICATE = "duplicate"
    MALFORMED_MESSAGE = "malformed_message"
    INVALID_REQUEST = "invalid_request"
    EXPIRED = "expired"
    REJECTED = "rejected"
    RATE_LIMITED = "rate_limited"
    UNAVAILABLE = "unavailable"
    BLOCKED = "blocked"
    UNCERTAIN = "uncertain"
    INTERNAL = "internal"
    POSTPONED = "postponed"
    INTERRUPTED = "interrupted"


@value_class
class Handled:
    """An outcome together with the warnings that the reply carries."""

    outcome: Outcome
    warnings: tuple[str, ...] = ()


def outcome_label(outcome: Outcome) -> OutcomeLabel:
    """Name an outcome for metrics and logs."""
    match outcome:
        case Submitted():
            return OutcomeLabel.SUBMITTED
        case Repeated():
            return OutcomeLabel.DUPLICATE
        case Malformed():
            return OutcomeLabel.MALFORMED_MESSAGE
        case Invalid():
            return OutcomeLabel.INVALID_REQUEST
        case Expired():
            return OutcomeLabel.EXPIRED
        case Rejected():
            return OutcomeLabel.REJECTED
        case RateLimited():
            return OutcomeLabel.RATE_LIMITED
        case Unavailable():
            return OutcomeLabel.UNAVAILABLE
        case BlockedOut():
            return OutcomeLabel.BLOCKED
        case InDoubt():
            return OutcomeLabel.UNCERTAIN
        case Defect():
            return OutcomeLabel.INTERNAL
        case Postponed():
            return OutcomeLabel.POSTPONED
        case Interrupted() | Withdrawn():
            return OutcomeLabel.INTERRUPTED
