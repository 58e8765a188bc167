"""What it came to that a request was placed with the endpoint: the answer of the first retry tier."""

from service.core.call import FailedCall
from service.core.ledger import Known, SubmittedRecord
from service.core.value_class import value_class


@value_class
class Obtained:
    """The endpoint accepted a call that was made here; `record` is on its way into the ledger, if not there."""

    record: SubmittedRecord


@value_class
class Finished:
    """The first tier is through without a task: `result` is that of the last of `attempts` calls.

    `doubt` tells that an earlier call was `Uncertain` and was sent again (`OnUncertain.RESEND`): whatever
    `result` says, that earlier call may have been paid for.
    """

    result: FailedCall
    attempts: int
    doubt: bool = False


@value_class
class DeadlinePassed:
    """The deadline passed before a further call could start. Earlier calls were safe failures."""

    attempts: int


@value_class
class GivenBack:
    """The worker drains, or waited too long for a broker or ledger: no further call was started.

    Earlier calls were safe failures.
    """

    attempts: int


@value_class
class Withheld:
    """No call may start for now. Earlier calls were safe failures, unless there is a `doubt` as in `Finished`.

    `last` is what the last of them came to; None where none was made.
    """

    attempts: int
    doubt: bool
    last: FailedCall | None


@value_class
class AlreadyKnown:
    """The ledger knows what an earlier call came to, or that it is in doubt: no call was made here."""

    known: Known


@value_class
class RunningElsewhere:
    """A call for this request may be under way elsewhere, for `seconds` more: no further call was started here.

    Of the `attempts` calls made here before, one may have been accepted where there is a `doubt`.
    """

    seconds: float
    attempts: int = 0
    doubt: bool = False


Placed = Obtained | Finished | DeadlinePassed | GivenBack | Withheld | AlreadyKnown | RunningElsewhere
