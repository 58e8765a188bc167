from datetime import timedelta

from service.adapters.ledger.tenure import Tenure
from service.adapters.ledger.volatile import VolatileLedger
from service.core.call import Answer
from service.core.ledger import Claimed, DoubtRecord, Permit, Running
from tests.support.fakes import FakeClock

LEASE = 60.0
DOUBT = DoubtRecord(Answer(), 1)


def ledger_for(limit: int, clock: FakeClock) -> VolatileLedger:
    return VolatileLedger(Tenure("a", timedelta(seconds=LEASE), timedelta(days=7), clock), limit)


async def test_above_its_limit_it_forgets_what_was_written_longest_ago() -> None:
    ledger = ledger_for(3, FakeClock())
    for request_id in "abcad":
        await ledger.record(request_id, DoubtRecord(Answer(), ord(request_id)))
    await ledger.record("a", DOUBT)
    await ledger.record("e", DOUBT)
    assert len(ledger) == 3
    assert [await ledger.find(request_id) is not None for request_id in "abcde"] == [True, False, False, True, True]


async def test_a_call_under_way_is_never_forgotten() -> None:
    ledger = ledger_for(2, FakeClock())
    for request_id in "abc":
        assert await ledger.claim(request_id, 1, Permit()) == Claimed()
    await ledger.record("d", DOUBT)
    assert len(ledger) == 3
    assert all([isinstance(await ledger.find(request_id), Running) for request_id in "abc"])


async def test_a_call_that_was_cut_may_be_forgotten() -> None:
    clock = FakeClock()
    ledger = ledger_for(1, clock)
    await ledger.claim("a", 1, Permit())
    clock.advance(LEASE)
    await ledger.claim("b", 1, Permit())
    assert len(ledger) == 1
    assert await ledger.find("a") is None


async def test_a_released_request_takes_no_room() -> None:
    ledger = ledger_for(1, FakeClock())
    await ledger.claim("a", 1, Permit())
    await ledger.release("a")
    assert len(ledger) == 0


async def test_it_says_that_nothing_outlives_the_worker() -> None:
    (warning,) = await ledger_for(1, FakeClock()).durability_warnings()
    assert "VIDEOGEN_LEDGER__URL is none" in warning
