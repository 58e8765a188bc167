"""What port `Ledger` promises, shown for every adapter."""

import asyncio
from datetime import UTC, datetime

import pytest

from service.adapters.ledger.opening import OpenLedger
from service.core.call import Answer
from service.core.ledger import Claimed, DoubtRecord, Known, Permit, Running, SubmittedRecord
from tests.support.ledgers import LEASE, Stage

NO_PERMIT = Permit()
SUBMITTED = SubmittedRecord("cgt:task-1", "wan2.2-t2v-plus", 2, datetime(2026, 1, 1, 12, 30, 15, 123456, tzinfo=UTC))
ANSWER = Answer(504, "GatewayTimeout", "nobody answered")
DOUBT = DoubtRecord(ANSWER, 1)


async def test_a_request_that_nobody_knows_is_claimed_once(ledger: OpenLedger) -> None:
    assert await ledger.claim("r", 1, NO_PERMIT) == Claimed()
    assert isinstance(await ledger.claim("r", 1, NO_PERMIT), Running)


async def test_nothing_is_found_of_a_request_that_nobody_knows(ledger: OpenLedger) -> None:
    assert await ledger.find("r") is None


async def test_a_claim_tells_its_holder_and_others_whose_it_is(ledger: OpenLedger, other: OpenLedger) -> None:
    await ledger.claim("r", 1, NO_PERMIT)
    for asked, here in ((ledger, True), (other, False)):
        for running in (await asked.find("r"), await asked.claim("r", 1, NO_PERMIT)):
            assert isinstance(running, Running)
            assert running.here is here
            assert 0 < running.seconds <= LEASE.total_seconds()


async def test_a_claim_whose_lease_ended_is_in_doubt(stage: Stage, ledger: OpenLedger, other: OpenLedger) -> None:
    await ledger.claim("r", 3, NO_PERMIT)
    await stage.end_leases()
    assert await other.claim("r", 4, NO_PERMIT) == DoubtRecord(Answer(), 3)
    assert await ledger.find("r") == DoubtRecord(Answer(), 3)


async def test_a_released_request_is_claimed_again(ledger: OpenLedger, other: OpenLedger) -> None:
    await ledger.claim("r", 1, NO_PERMIT)
    await ledger.release("r")
    assert await ledger.find("r") is None
    assert await other.claim("r", 2, NO_PERMIT) == Claimed()


async def test_nobody_releases_the_claim_of_another(ledger: OpenLedger, other: OpenLedger) -> None:
    await ledger.claim("r", 1, NO_PERMIT)
    await other.release("r")
    assert isinstance(await other.claim("r", 1, NO_PERMIT), Running)


async def test_a_claim_whose_answer_was_lost_is_refused_until_it_is_released(ledger: OpenLedger) -> None:
    await ledger.claim("r", 1, NO_PERMIT)
    assert isinstance(again := await ledger.claim("r", 1, NO_PERMIT), Running)
    assert again.here
    await ledger.release("r")
    assert await ledger.claim("r", 1, NO_PERMIT) == Claimed()


@pytest.mark.parametrize("known", [SUBMITTED, DOUBT, DoubtRecord(Answer(), 5)])
async def test_a_record_comes_back_as_it_was_given(ledger: OpenLedger, other: OpenLedger, known: Known) -> None:
    await ledger.claim("r", 1, NO_PERMIT)
    await ledger.record("r", known)
    assert await other.find("r") == known
    assert await other.claim("r", 2, NO_PERMIT) == known


async def test_a_record_is_taken_also_where_no_claim_is_left(ledger: OpenLedger) -> None:
    await ledger.record("r", SUBMITTED)
    assert await ledger.find("r") == SUBMITTED


@pytest.mark.parametrize("permit", [Permit(resend=True), Permit(replay="x")])
async def test_no_permit_claims_what_was_submitted(ledger: OpenLedger, permit: Permit) -> None:
    await ledger.record("r", SUBMITTED)
    assert await ledger.claim("r", 2, permit) == SUBMITTED


async def test_a_doubt_never_hides_a_task_id(ledger: OpenLedger, other: OpenLedger) -> None:
    await ledger.record("r", SUBMITTED)
    await other.record("r", DOUBT)
    assert await ledger.find("r") == SUBMITTED


@pytest.mark.parametrize("permit", [Permit(resend=True), Permit(replay="x")])
async def test_a_permit_claims_what_is_in_doubt(ledger: OpenLedger, permit: Permit) -> None:
    await ledger.record("r", DOUBT)
    assert await ledger.claim("r", 2, permit) == Claimed(doubt=True)
    assert isinstance(await ledger.find("r"), Running)


async def test_a_replay_is_good_for_one_call(stage: Stage, ledger: OpenLedger) -> None:
    await ledger.record("r", DOUBT)
    await ledger.claim("r", 2, Permit(replay="x\ud800"))
    await stage.end_leases()
    assert await ledger.claim("r", 3, Permit(replay="x\ud800")) == DoubtRecord(ANSWER, 2)
    await ledger.record("r", DoubtRecord(ANSWER, 2))
    assert await ledger.claim("r", 3, Permit(replay="x\ud800")) == DoubtRecord(ANSWER, 2)
    assert await ledger.claim("r", 3, Permit(replay="y")) == Claimed(doubt=True)


async def test_a_replay_that_was_released_may_be_used_again(ledger: OpenLedger) -> None:
    await ledger.record("r", DOUBT)
    await ledger.claim("r", 2, Permit(replay="x"))
    await ledger.release("r")
    assert await ledger.find("r") == DoubtRecord(ANSWER, 2)
    assert await ledger.claim("r", 2, Permit(replay="x")) == Claimed(doubt=True)


@pytest.mark.parametrize("permit", [NO_PERMIT, Permit(resend=True), Permit(replay="x")])
async def test_the_first_claim_is_over_no_doubt_whatever_is_permitted(ledger: OpenLedger, permit: Permit) -> None:
    assert await ledger.claim("r", 1, permit) == Claimed(doubt=False)


async def test_a_permit_claims_over_a_call_that_was_cut_as_over_a_doubt(stage: Stage, ledger: OpenLedger) -> None:
    await ledger.claim("r", 1, NO_PERMIT)
    await stage.end_leases()
    assert await ledger.claim("r", 2, Permit(resend=True)) == Claimed(doubt=True)


async def test_a_late_doubt_leaves_the_claim_of_another_in_force(
    stage: Stage, ledger: OpenLedger, other: OpenLedger
) -> None:
    await ledger.claim("r", 1, NO_PERMIT)
    await stage.end_leases()
    await other.claim("r", 2, Permit(resend=True))
    await ledger.record("r", DOUBT)
    assert isinstance(running := await other.find("r"), Running)
    assert running.here
    await other.release("r")
    assert await other.find("r") == DoubtRecord(ANSWER, 2)


@pytest.mark.parametrize("request_id", ["", "\0", "a:b c", "\ud800", "\udcff\U0001f3ac", "ä" * 255, "x" * 10_000])
async def test_any_text_names_a_request(ledger: OpenLedger, request_id: str) -> None:
    assert await ledger.claim(request_id, 1, NO_PERMIT) == Claimed()
    await ledger.record(request_id, SUBMITTED)
    assert await ledger.find(request_id) == SUBMITTED
    assert await ledger.find(request_id + "2") is None


async def test_text_of_the_endpoint_comes_back_whatever_it_holds(ledger: OpenLedger) -> None:
    odd = "\ud800\0'\"\u2028ä\U0001f3ac \\ud800 \\\\ud800 \\"
    await ledger.record("r", DoubtRecord(Answer(None, odd, odd), 1))
    assert await ledger.find("r") == DoubtRecord(Answer(None, odd, odd), 1)


@pytest.mark.parametrize("known", [SUBMITTED, DOUBT])
async def test_after_its_time_a_record_is_forgotten(stage: Stage, ledger: OpenLedger, known: Known) -> None:
    await ledger.record("r", known)
    await stage.end_retention()
    assert await ledger.find("r") is None
    assert await ledger.claim("r", 1, NO_PERMIT) == Claimed()


async def test_prefixes_keep_requests_apart(stage: Stage, ledger: OpenLedger) -> None:
    await ledger.record("r", SUBMITTED)
    async with stage.open("c", prefix="q") as elsewhere:
        assert await elsewhere.claim("r", 1, NO_PERMIT) == Claimed()
        await elsewhere.release("r")
    assert await ledger.find("r") == SUBMITTED


async def test_of_many_claims_at_once_one_is_granted(ledger: OpenLedger, other: OpenLedger) -> None:
    claims = [asked.claim("r", 1, NO_PERMIT) for asked in (ledger, other) for _ in range(20)]
    assert (await asyncio.gather(*claims)).count(Claimed()) == 1


async def test_a_cancelled_operation_takes_no_other_with_it(ledger: OpenLedger) -> None:
    tasks = [asyncio.create_task(ledger.claim(str(number), 1, NO_PERMIT)) for number in range(20)]
    for _ in range(3):
        await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert ended[1::2] == [Claimed()] * 10
    assert await ledger.claim("more", 1, NO_PERMIT) == Claimed()


async def test_a_ledger_that_takes_claims_answers_a_ping(ledger: OpenLedger) -> None:
    await ledger.ping()
    assert await ledger.find("r") is None
