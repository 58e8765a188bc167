"""What the ledger keeps of a request, and every transition: the durable half of "never paid twice" (spec section 5).

The functions here are the one definition. The volatile and the SQLite adapter run them; the Redis adapter says the same
in a script, and a stateful test holds all three to each other.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum

from service.core.call import Answer
from service.core.value_class import value_class


class LedgerUnavailable(Exception):  # noqa: N818 - a condition that passes, not a defect
    """The ledger did not take the operation; whether it is on record is unknown. The message says why."""


class EntryDamaged(Exception):  # noqa: N818 - a condition of one entry
    """The entry of one request cannot be read: nobody knows whether it was paid for. The message says what to do."""


@value_class
class Claimed:
    """The intent is on record: the call may leave. `doubt`: an earlier call for this request may have been accepted."""

    doubt: bool = False


@value_class
class Running:
    """A call for this request may be under way, in this worker (`here`) or another, for `seconds` more."""

    seconds: float
    here: bool


@value_class
class SubmittedRecord:
    """The endpoint accepted a call for this request."""

    task_id: str
    model: str
    attempts: int
    at: datetime


@value_class
class DoubtRecord:
    """A call for this request may have been accepted. `answer` is empty where the worker died in mid-call."""

    answer: Answer
    attempts: int


Known = SubmittedRecord | DoubtRecord
Claim = Claimed | Running | Known
Found = Running | Known | None


@value_class
class Permit:
    """What allows a further call for a request in doubt.

    `resend` is the operator's policy. `replay` names one forced replay: it is good for one call that may be accepted,
    so that a redelivered copy of the replay is not paid for again.
    """

    resend: bool = False
    replay: str | None = None


_NO_ANSWER = Answer()


class EntryState(StrEnum):
    """What is on record."""

    CALLING = "calling"
    SUBMITTED = "submitted"
    IN_DOUBT = "in_doubt"


@value_class
class Entry:
    """One request on record until `expires`.

    `doubt`: an earlier call is in doubt while another is made. `spent` holds the forced replays that were used up;
    `replay` is the one among them that allowed the present claim.
    """

    state: EntryState
    expires: datetime
    attempts: int
    holder: str = ""
    lease_until: datetime | None = None
    submitted: SubmittedRecord | None = None
    answer: Answer = _NO_ANSWER
    doubt: bool = False
    replay: str | None = None
    spent: frozenset[str] = frozenset()


@value_class
class Terms:
    """Who asks, when, and for how long a claim holds and a record is kept.

    The lease outlasts every call. It only decides how soon a call that was cut is known to be in doubt: an expired
    lease never allows a second call.
    """

    holder: str
    now: datetime
    lease: timedelta
    retention: timedelta


def claim(entry: Entry | None, attempt: int, permit: Permit, terms: Terms) -> tuple[Claim, Entry | None]:
    """Put the intent to call on record, unless what is there forbids it. Returns the answer and the entry to keep."""
    entry = _unexpired(entry, terms)
    unspent = permit.replay if entry is None or permit.replay not in entry.spent else None
    if entry is None:
        return Claimed(), _calling(attempt, terms, unspent)
    known = found(entry, terms)
    if not isinstance(known, DoubtRecord):
        assert known is not None  # an entry that has not expired is always found
        return known, entry
    if permit.resend or unspent is not None:
        again = _calling(attempt, terms, unspent)
        return Claimed(doubt=True), replace(again, answer=entry.answer, doubt=True, spent=entry.spent | again.spent)
    return known, entry


def found(entry: Entry | None, terms: Terms) -> Found:
    """Tell what is known of a request, without a claim."""
    entry = _unexpired(entry, terms)
    if entry is None:
        return None
    match entry.state:
        case EntryState.SUBMITTED:
            # Without its record nobody can be told the task id, and nobody may call again.
            return entry.submitted or DoubtRecord(entry.answer, entry.attempts)
        case EntryState.CALLING if entry.lease_until is not None and terms.now < entry.lease_until:
            return Running((entry.lease_until - terms.now).total_seconds(), here=entry.holder == terms.holder)
        case EntryState.CALLING | EntryState.IN_DOUBT:
            return DoubtRecord(entry.answer, entry.attempts)


def release(entry: Entry | None, terms: Terms) -> Entry | None:
    """Take the own intent off the record: the call was surely not accepted. Returns the entry to keep."""
    entry = _unexpired(entry, terms)
    if entry is None or entry.state is not EntryState.CALLING or entry.holder != terms.holder:
        return entry
    if not entry.doubt:
        return None
    # An earlier call stays in doubt, and the replay that bought nothing may be used again.
    spent = entry.spent - {entry.replay}
    return Entry(EntryState.IN_DOUBT, _expiry(terms), entry.attempts, answer=entry.answer, doubt=True, spent=spent)


def record(entry: Entry | None, known: Known, terms: Terms) -> Entry:
    """Put on record what a call came to. A task id outweighs everything; a doubt never hides one."""
    entry = _unexpired(entry, terms)
    if isinstance(known, SubmittedRecord):
        return Entry(EntryState.SUBMITTED, _expiry(terms), known.attempts, submitted=known)
    if entry is not None and entry.state is EntryState.SUBMITTED:
        return entry
    if entry is not None and isinstance(found(entry, terms), Running) and entry.holder != terms.holder:
        # We were held up past our lease and somebody calls again under a permit: leave that call its claim.
        return replace(entry, answer=known.answer, doubt=True)
    spent = entry.spent if entry is not None else frozenset[str]()
    return Entry(EntryState.IN_DOUBT, _expiry(terms), known.attempts, answer=known.answer, spent=spent)


def _calling(attempt: int, terms: Terms, replay: str | None) -> Entry:
    return Entry(
        EntryState.CALLING,
        _expiry(terms),
        attempt,
        holder=terms.holder,
        lease_until=terms.now + terms.lease,
        replay=replay,
        spent=frozenset() if replay is None else frozenset({replay}),
    )


def _expiry(terms: Terms) -> datetime:
    return terms.now + terms.retention


def _unexpired(entry: Entry | None, terms: Terms) -> Entry | None:
    return None if entry is None or entry.expires <= terms.now else entry
