from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.call import Answer
from service.core.ledger import (
    Claimed,
    DoubtRecord,
    Entry,
    EntryState,
    Found,
    Known,
    Permit,
    Running,
    SubmittedRecord,
    Terms,
    claim,
    found,
    record,
    release,
)

START = datetime(2026, 1, 1, tzinfo=UTC)
LEASE = timedelta(minutes=1)
RETENTION = timedelta(days=7)
NO_PERMIT = Permit()
SUBMITTED = SubmittedRecord("task-1", "wan2.2-t2v-plus", 2, START)
ANSWER = Answer(504, None, "Gateway Timeout")
DOUBT = DoubtRecord(ANSWER, 1)
NO_WORD = DoubtRecord(Answer(), 1)


def terms(holder: str = "a", after: timedelta = timedelta()) -> Terms:
    return Terms(holder, START + after, LEASE, RETENTION)


def claimed(holder: str = "a", permit: Permit = NO_PERMIT) -> Entry:
    answer, entry = claim(None, 1, permit, terms(holder))
    assert answer == Claimed()
    assert entry is not None
    return entry


def known(entry: Entry | None, at: Terms) -> Found:
    return found(entry, at)


def test_a_request_that_nobody_knows_is_claimed() -> None:
    answer, entry = claim(None, 3, NO_PERMIT, terms())
    assert answer == Claimed()
    assert entry == Entry(EntryState.CALLING, START + RETENTION, 3, holder="a", lease_until=START + LEASE)


def test_nothing_is_found_of_a_request_that_nobody_knows() -> None:
    assert known(None, terms()) is None


@pytest.mark.parametrize(("holder", "here"), [("a", True), ("b", False)])
def test_a_claim_in_force_refuses_another_and_tells_how_long_and_where(holder: str, *, here: bool) -> None:
    before = claimed("a")
    answer, after = claim(before, 1, Permit(resend=True, replay="r"), terms(holder, timedelta(seconds=20)))
    assert answer == Running(40.0, here=here)
    assert after == before


def test_a_claim_whose_lease_ended_is_in_doubt_and_stays_refused() -> None:
    before = claimed()
    answer, after = claim(before, 2, NO_PERMIT, terms("b", LEASE))
    assert answer == NO_WORD
    assert after == before


def test_a_record_that_expired_counts_as_none() -> None:
    before = record(None, SUBMITTED, terms())
    assert known(before, terms(after=RETENTION)) is None
    assert claim(before, 1, NO_PERMIT, terms(after=RETENTION))[0] == Claimed()


def test_a_record_is_kept_up_to_its_last_moment() -> None:
    before = record(None, SUBMITTED, terms())
    assert claim(before, 1, NO_PERMIT, terms(after=RETENTION - timedelta(microseconds=1)))[0] == SUBMITTED


def test_a_released_claim_leaves_nothing() -> None:
    assert release(claimed(), terms()) is None


def test_a_claim_is_released_also_after_its_lease() -> None:
    assert release(claimed(), terms(after=2 * LEASE)) is None


@pytest.mark.parametrize(
    "before",
    [claimed("b"), record(None, SUBMITTED, terms()), record(None, DOUBT, terms()), None],
    ids=["another's claim", "submitted", "in doubt", "nothing"],
)
def test_a_release_touches_nothing_but_an_own_claim(before: Entry | None) -> None:
    assert release(before, terms("a")) == before


def test_a_task_id_takes_the_place_of_a_claim() -> None:
    assert known(record(claimed(), SUBMITTED, terms()), terms("b")) == SUBMITTED


@pytest.mark.parametrize("before", [None, claimed("b"), record(None, DOUBT, terms())])
def test_a_task_id_outweighs_whatever_is_there(before: Entry | None) -> None:
    assert known(record(before, SUBMITTED, terms()), terms()) == SUBMITTED


def test_a_doubt_never_hides_a_task_id() -> None:
    before = record(None, SUBMITTED, terms())
    assert record(before, DOUBT, terms("b", LEASE)) == before


def test_a_doubt_takes_the_place_of_the_own_claim() -> None:
    assert known(record(claimed(), DOUBT, terms()), terms()) == DOUBT


def test_a_doubt_is_recorded_also_where_nothing_is_left() -> None:
    assert known(record(None, DOUBT, terms()), terms()) == DOUBT


def test_a_doubt_leaves_a_later_claim_of_another_in_force() -> None:
    _, again = claim(claimed("a"), 2, Permit(resend=True), terms("b", LEASE))
    after = record(again, DOUBT, terms("a", LEASE))
    assert known(after, terms("b", LEASE)) == Running(60.0, here=True)
    assert known(after, terms("b", 2 * LEASE)) == DoubtRecord(ANSWER, 2)


def test_every_record_is_kept_from_its_own_time_on() -> None:
    later = timedelta(days=1)
    assert record(claimed(), DOUBT, terms(after=later)).expires == START + later + RETENTION


@pytest.mark.parametrize("permit", [Permit(resend=True), Permit(replay="r")])
def test_a_permit_claims_what_is_in_doubt(permit: Permit) -> None:
    assert claim(record(None, DOUBT, terms()), 2, permit, terms())[0] == Claimed(doubt=True)


@pytest.mark.parametrize("permit", [NO_PERMIT, Permit(resend=True), Permit(replay="r")])
@pytest.mark.parametrize("before", [None, release(claimed(), terms())], ids=["nothing", "released"])
def test_where_nothing_is_in_doubt_a_claim_is_over_no_doubt(before: Entry | None, permit: Permit) -> None:
    assert claim(before, 1, permit, terms())[0] == Claimed(doubt=False)


@pytest.mark.parametrize("permit", [Permit(resend=True), Permit(replay="r")])
def test_no_permit_claims_what_was_submitted(permit: Permit) -> None:
    assert claim(record(None, SUBMITTED, terms()), 2, permit, terms())[0] == SUBMITTED


def test_a_replay_is_good_for_one_call() -> None:
    permit = Permit(replay="r")
    _, entry = claim(record(None, DOUBT, terms()), 2, permit, terms())
    assert entry is not None
    for after in (record(entry, DoubtRecord(Answer(), 2), terms()), entry):
        assert claim(after, 3, permit, terms(after=LEASE))[0] == DoubtRecord(after.answer, 2)


def test_a_replay_is_used_up_also_by_a_call_that_nobody_doubted() -> None:
    entry = record(claimed(permit=Permit(replay="r")), DOUBT, terms())
    assert claim(entry, 2, Permit(replay="r"), terms())[0] == DOUBT


def test_a_replay_that_was_released_may_be_used_again() -> None:
    permit = Permit(replay="r")
    _, entry = claim(record(None, DOUBT, terms()), 2, permit, terms())
    assert claim(release(entry, terms()), 2, permit, terms())[0] == Claimed(doubt=True)


def test_a_released_repetition_leaves_the_earlier_doubt_with_its_answer() -> None:
    _, entry = claim(record(None, DOUBT, terms()), 2, Permit(resend=True), terms())
    left = release(entry, terms(after=LEASE))
    assert known(left, terms()) == DoubtRecord(ANSWER, 2)
    assert left is not None
    assert left.expires == START + LEASE + RETENTION


HOLDERS = st.sampled_from(["a", "b", "c"])
PASSING = st.integers(0, 100).map(lambda seconds: timedelta(seconds=seconds))
STEPS = st.lists(st.tuples(st.sampled_from(["claim", "release", "doubt"]), HOLDERS, PASSING), max_size=30)
PERMITS = st.builds(Permit, resend=st.booleans(), replay=st.none() | st.sampled_from(["r", "s"]))


def step(entry: Entry | None, what: str, at: Terms, permit: Permit) -> tuple[bool, Entry | None]:
    """Do one step; tell whether a call may leave."""
    match what:
        case "claim":
            answer, entry = claim(entry, 1, permit, at)
            return isinstance(answer, Claimed), entry
        case "release":
            return False, release(entry, at)
        case _:
            return False, record(entry, DOUBT, at)


@given(STEPS, PERMITS)
def test_what_was_submitted_is_never_called_again(steps: list[tuple[str, str, timedelta]], permit: Permit) -> None:
    entry: Entry | None = record(None, SUBMITTED, terms())
    now = timedelta()
    for what, holder, passing in steps:
        now += passing
        may_call, entry = step(entry, what, terms(holder, now), permit)
        assert not may_call
        assert known(entry, terms(holder, now)) == SUBMITTED


@given(STEPS)
def test_without_a_permit_a_second_call_needs_the_release_of_the_first(
    steps: list[tuple[str, str, timedelta]],
) -> None:
    check_one_call_at_most(steps, NO_PERMIT)


@given(STEPS)
def test_one_replay_buys_a_second_call_only_where_the_first_was_released(
    steps: list[tuple[str, str, timedelta]],
) -> None:
    check_one_call_at_most(steps, Permit(replay="r"))


@given(st.lists(st.tuples(st.sampled_from(["claim", "release", "doubt"]), HOLDERS, PASSING, PERMITS), max_size=40))
def test_no_mix_of_permits_makes_a_replay_good_for_two_calls_that_nobody_released(
    steps: list[tuple[str, str, timedelta, Permit]],
) -> None:
    entry: Entry | None = record(None, DOUBT, terms())
    now = timedelta()
    bought: set[str] = set()
    for what, holder, passing, permit in steps:
        now += passing
        used = None if entry is None else entry.replay
        released = what == "release" and entry is not None and release(entry, terms(holder, now)) != entry
        may_call, entry = step(entry, what, terms(holder, now), permit)
        if released and used is not None:
            bought.discard(used)
        if may_call and not permit.resend:
            assert permit.replay is not None
            assert permit.replay not in bought
        if may_call and permit.replay is not None:
            bought.add(permit.replay)


def test_a_spent_replay_stays_spent_when_a_later_one_is_released() -> None:
    _, entry = claim(record(None, DOUBT, terms()), 2, Permit(replay="r"), terms())
    _, entry = claim(record(entry, DOUBT, terms()), 3, Permit(replay="s"), terms())
    assert isinstance(claim(release(entry, terms()), 4, Permit(replay="r"), terms())[0], DoubtRecord)
    assert claim(release(entry, terms()), 4, Permit(replay="s"), terms())[0] == Claimed(doubt=True)


def check_one_call_at_most(steps: list[tuple[str, str, timedelta]], permit: Permit) -> None:
    entry: Entry | None = None
    now = timedelta()
    caller: str | None = None
    for what, holder, passing in steps:
        now += passing
        may_call, entry = step(entry, what, terms(holder, now), permit)
        if may_call:
            assert caller is None
            caller = holder
        elif what == "release" and holder == caller:
            caller = None


@given(st.lists(st.tuples(HOLDERS, PASSING, st.sampled_from([SUBMITTED, DOUBT])), min_size=1, max_size=10))
def test_whatever_order_records_arrive_in_a_task_id_wins(records: list[tuple[str, timedelta, Known]]) -> None:
    entry: Entry | None = None
    for holder, after, what in records:
        entry = record(entry, what, terms(holder, after))
    expected = SUBMITTED if any(what is SUBMITTED for _, _, what in records) else DOUBT
    assert known(entry, terms()) == expected


def test_an_accepted_request_whose_task_id_is_missing_is_in_doubt_and_not_called_again() -> None:
    entry = Entry(EntryState.SUBMITTED, START + RETENTION, attempts=2)

    assert known(entry, terms()) == DoubtRecord(Answer(), 2)
    assert claim(entry, 3, NO_PERMIT, terms()) == (DoubtRecord(Answer(), 2), entry)
