from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from service.core.call import Answer
from service.core.delivery import Delivery
from service.core.history import History, history_headers
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
from tests.support.records import record

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TIER = RetryTier("10s", timedelta(seconds=10))
HISTORY = History(NOW, attempts=1)
MESSAGE = Delivery(
    b"{}",
    message_id="r",
    correlation_id="c",
    reply_to="answers",
    timestamp=NOW,
    expiration=timedelta(hours=1),
    headers={"b": [1, {"deep": b"\xff"}], "a": "\ud800"},
)
AGAIN = replace(MESSAGE, redelivered=True, delivery_count=1)
ADDRESS = ("answers", "c")
LATER = 300.1

REPLIES: tuple[Outcome, ...] = (
    Submitted(record("t", "m", 1)),
    Repeated(SubmittedRecord("t", "m", 1, NOW)),
    Malformed("no"),
    Invalid(()),
    Expired(NOW, 0),
    Rejected(Answer(400), 1),
    RateLimited(Answer(429), 4),
    Unavailable(Answer(503), 4),
    BlockedOut(Answer(401), 1),
    InDoubt(Answer(502), 1),
    Defect(called=True),
)
MOVES: tuple[Outcome, ...] = (Withdrawn(HISTORY), Postponed(TIER, HISTORY))


def answered(outcome: Outcome) -> Answered:
    """What became of a message that was told in full."""
    handled = Handled(outcome)
    return Answered(handled, settle(handled, "r", NOW), told={ADDRESS}, dead_lettered=True)


def remembering(outcome: Outcome = REPLIES[0], delivery: Delivery = MESSAGE) -> Memory:
    memory = Memory()
    memory.keep(delivery, answered(outcome), now=0.0)
    return memory


@pytest.mark.parametrize("outcome", REPLIES, ids=lambda outcome: type(outcome).__name__)
def test_a_copy_that_comes_soon_is_the_brokers_and_nobody_is_told_twice(outcome: Outcome) -> None:
    assert remembering(outcome).recall(AGAIN, 300.0) == answered(outcome)


@pytest.mark.parametrize("outcome", REPLIES, ids=lambda outcome: type(outcome).__name__)
def test_a_message_that_was_answered_long_ago_is_answered_in_the_same_way_and_in_full(outcome: Outcome) -> None:
    recalled = remembering(outcome).recall(AGAIN, LATER)

    told = answered(outcome)
    assert recalled == replace(told, told=set(), dead_lettered=False)


@pytest.mark.parametrize("outcome", REPLIES, ids=lambda outcome: type(outcome).__name__)
def test_each_recall_is_told_anew(outcome: Outcome) -> None:
    memory = remembering(outcome)
    first = memory.recall(AGAIN, LATER)
    assert first is not None
    first.told.add(ADDRESS)

    second = memory.recall(AGAIN, LATER)

    assert second is not None
    assert not second.told


@pytest.mark.parametrize("outcome", MOVES, ids=lambda outcome: type(outcome).__name__)
def test_a_copy_of_a_message_that_moved_is_acked_for_the_one_that_lives(outcome: Outcome) -> None:
    assert remembering(outcome).recall(AGAIN, 300.0) == answered(outcome)


@pytest.mark.parametrize("outcome", MOVES, ids=lambda outcome: type(outcome).__name__)
def test_a_message_that_moved_long_ago_is_worked_on_because_the_moved_one_may_have_ended(outcome: Outcome) -> None:
    assert remembering(outcome).recall(AGAIN, LATER) is None


def test_a_message_that_was_handed_back_is_not_remembered() -> None:
    assert remembering(Interrupted(1)).recall(AGAIN, LATER) is None


@pytest.mark.parametrize("outcome", MOVES, ids=lambda outcome: type(outcome).__name__)
def test_the_message_that_lives_after_a_move_is_another_one_although_only_the_move_tells(outcome: Outcome) -> None:
    moved_before = replace(MESSAGE, headers={**MESSAGE.headers, **history_headers(HISTORY), "x-move": "1"})
    living = replace(moved_before, redelivered=True, headers={**moved_before.headers, "x-move": "2"})

    assert remembering(outcome, moved_before).recall(living, 1.0) is None


def test_a_message_that_was_never_given_out_before_is_not_recalled() -> None:
    assert remembering().recall(MESSAGE, LATER) is None


@pytest.mark.parametrize(
    "other",
    [
        replace(AGAIN, message_id="r-2"),
        replace(AGAIN, correlation_id="c-2"),
        replace(AGAIN, reply_to="others"),
        replace(AGAIN, reply_to=None),
        replace(AGAIN, timestamp=NOW + timedelta(seconds=1)),
        replace(AGAIN, expiration=None),
        replace(AGAIN, body=b"{} "),
        replace(AGAIN, headers={**MESSAGE.headers, "x-replay": "copy-1"}),
        replace(AGAIN, headers={"b": [1, {"deep": b"\xff"}]}),
    ],
    ids=["id", "correlation id", "address", "no address", "timestamp", "expiration", "body", "replay", "header"],
)
def test_whatever_a_publisher_wrote_otherwise_makes_another_message(other: Delivery) -> None:
    assert remembering().recall(other, LATER) is None


def test_two_replays_are_two_messages() -> None:
    first, second = (replace(AGAIN, headers={"x-replay": name}) for name in ("copy-1", "copy-2"))
    memory = remembering(delivery=first)

    assert memory.recall(first, LATER) is not None
    assert memory.recall(second, LATER) is None


def test_the_order_of_headers_does_not_matter() -> None:
    turned = replace(AGAIN, headers=dict(reversed(list(MESSAGE.headers.items()))))

    assert remembering().recall(turned, LATER) is not None


def test_the_oldest_is_forgotten_where_there_are_too_many() -> None:
    memory = Memory(limit=2)
    for name in ("a", "b", "a", "c"):
        memory.keep(replace(MESSAGE, message_id=name), answered(REPLIES[0]), now=0.0)

    assert [name for name in "abc" if memory.recall(replace(AGAIN, message_id=name), LATER)] == ["a", "c"]
    assert len(memory) == 2
