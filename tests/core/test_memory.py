from datetime import UTC, datetime, timedelta

import pytest

from service.core.call import Answer
from service.core.history import History
from service.core.ledger import SubmittedRecord
from service.core.memory import Answered, Memory
from service.core.outcome import (
    BlockedOut,
    Defect,
    Expired,
    Handled,
    InDoubt,
    Interrupted,
    Invalid,
    Malformed,
    Outcome,
    Postponed,
    RateLimited,
    Rejected,
    Repeated,
    Submitted,
    Unavailable,
    Withdrawn,
)
from service.core.settlement import settle
from service.core.topology import RetryTier

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def answered(outcome: Outcome) -> Answered:
    handled = Handled(outcome)
    return Answered(handled, settle(handled, "r", NOW))


PAID = (
    Submitted("t", "m", 1),
    Repeated(SubmittedRecord("t", "m", 1, NOW)),
    InDoubt(Answer(502), 1),
    Defect(called=True),
)
UNPAID = (
    Malformed("no"),
    Invalid(()),
    Expired(NOW, 0),
    Rejected(Answer(400), 1),
    RateLimited(Answer(429), 4),
    Unavailable(Answer(503), 4),
    BlockedOut(Answer(401), 1),
    Defect(called=False),
    Interrupted(1),
    Withdrawn(History(NOW)),
    Postponed(RetryTier("10s", timedelta(seconds=10)), History(NOW)),
)


@pytest.mark.parametrize("outcome", PAID, ids=lambda outcome: type(outcome).__name__)
def test_what_may_have_been_paid_is_remembered(outcome: Outcome) -> None:
    memory, entry = Memory(), answered(outcome)

    memory.keep("r", entry)

    assert memory.recall("r", redelivered=True) is entry


@pytest.mark.parametrize("outcome", UNPAID, ids=lambda outcome: type(outcome).__name__)
def test_what_cost_nothing_may_be_called_again(outcome: Outcome) -> None:
    memory = Memory()

    memory.keep("r", answered(outcome))

    assert memory.recall("r", redelivered=True) is None


def test_the_oldest_is_forgotten_where_there_are_too_many() -> None:
    memory = Memory(limit=2)
    for name in ("a", "b", "a", "c"):
        memory.keep(name, answered(PAID[0]))

    assert [name for name in "abc" if memory.recall(name, redelivered=True)] == ["a", "c"]
    assert len(memory) == 2


@pytest.mark.parametrize("outcome", PAID, ids=lambda outcome: type(outcome).__name__)
def test_only_a_request_in_doubt_is_not_recalled_for_a_copy_that_was_published_anew(outcome: Outcome) -> None:
    memory, entry = Memory(), answered(outcome)
    memory.keep("r", entry)

    recalled = memory.recall("r", redelivered=False)

    assert recalled is (None if isinstance(outcome, InDoubt) else entry)
