import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.core.bookkeeping import Bookkeeping
from service.core.call import Answer
from service.core.drain import Drain
from service.core.facts import ConsumptionPaused, DefectFound, PauseReason, RecordMissing
from service.core.gate import Gate
from service.core.ledger import Claimed, DoubtRecord, LedgerUnavailable, Permit, Running, SubmittedRecord
from service.core.ledger_watch import watch_ledger
from service.core.pending_task import Follow, PendingTask
from tests.support.fakes import NEW_YEAR, FakeClock, RecordingObserver
from tests.support.flaky_ledger import FlakyLedger, LedgerFault
from tests.support.virtual_time import in_virtual_time, loop_time

PATIENCE = 20.0
PERMIT = Permit()
SUBMITTED = SubmittedRecord("t-1", "m", 1, NEW_YEAR)
FOLLOW = Follow(PendingTask("t-1", "r", "m", NEW_YEAR, "c"), first=0.0)
DOUBT = DoubtRecord(Answer(504), 1)
UNABLE = [LedgerFault.REFUSED, LedgerFault.ANSWER_LOST]


class Scene:
    def __init__(self) -> None:
        self.observer = RecordingObserver()
        self.gate = Gate(Drain(), self.observer, patience=1000.0)
        self.ledger = FlakyLedger(FakeClock())
        self.books = Bookkeeping(self.ledger, self.gate, self.observer, PATIENCE)

    async def fail_to_claim(self, fault: LedgerFault = LedgerFault.ANSWER_LOST) -> None:
        self.ledger.suffer(fault, "claim")
        with pytest.raises(LedgerUnavailable):
            await self.books.claim("r", 1, PERMIT)
        self.ledger.mend()


async def _rounds(count: int = 20) -> None:
    for _ in range(count):
        await asyncio.sleep(0)  # one round of the event loop, no time


async def test_a_claim_and_a_search_are_those_of_the_ledger() -> None:
    scene = Scene()

    assert await scene.books.claim("r", 1, PERMIT) == Claimed()
    await scene.books.note("r", SUBMITTED)

    assert await scene.books.find("r") == SUBMITTED
    assert await scene.books.claim("r", 2, PERMIT) == SUBMITTED
    assert not scene.gate.closed


async def test_a_task_to_follow_is_owed_together_with_its_record() -> None:
    scene = Scene()
    scene.ledger.suffer(LedgerFault.HANGS, "record")
    noting = asyncio.ensure_future(scene.books.note("r", SUBMITTED, FOLLOW))
    await scene.ledger.until(lambda: scene.ledger.begun == ["record r"])
    noting.cancel()
    await asyncio.gather(noting, return_exceptions=True)
    assert await scene.ledger.kept.tasks.count() == 0

    scene.ledger.mend()
    await scene.books.settle_debts()

    assert await scene.ledger.kept.tasks.take() == FOLLOW.task


@pytest.mark.parametrize("operation", ["claim", "find"])
@pytest.mark.parametrize("fault", UNABLE)
async def test_a_ledger_that_cannot_answer_closes_the_gate_and_says_why(operation: str, fault: LedgerFault) -> None:
    scene = Scene()
    scene.ledger.suffer(fault, operation)

    with pytest.raises(LedgerUnavailable):
        await (scene.books.find("r") if operation == "find" else scene.books.claim("r", 1, PERMIT))

    assert scene.gate.closed == {PauseReason.LEDGER}
    (paused,) = scene.observer.of(ConsumptionPaused)
    assert "the ledger" in paused.why


@pytest.mark.parametrize("fault", UNABLE)
async def test_a_claim_that_was_not_answered_is_released_before_the_next_claim(fault: LedgerFault) -> None:
    scene = Scene()
    await scene.fail_to_claim(fault)

    assert await scene.books.claim("r", 1, PERMIT) == Claimed()

    assert scene.ledger.done == ["release r", "claim r"]


async def test_a_claim_that_was_not_answered_is_released_before_the_request_is_looked_up() -> None:
    scene = Scene()
    await scene.fail_to_claim()

    assert await scene.books.find("r") is None


async def test_no_claim_is_made_while_its_debt_cannot_be_told() -> None:
    scene = Scene()
    await scene.fail_to_claim()
    scene.ledger.suffer(LedgerFault.REFUSED, "release")

    with pytest.raises(LedgerUnavailable):
        await scene.books.claim("r", 1, PERMIT)

    assert scene.ledger.begun == ["claim r", "release r"]


async def test_a_debt_is_told_once() -> None:
    scene = Scene()
    await scene.fail_to_claim()

    await scene.books.settle_debts()
    await scene.books.settle_debts()
    await scene.books.find("r")

    assert scene.ledger.done == ["release r", "find r"]


async def test_a_debt_is_never_told_after_a_later_claim_of_the_same_request() -> None:
    scene = Scene()
    await scene.fail_to_claim()
    scene.ledger.suffer(LedgerFault.HANGS, "release")
    # Both want to tell it, one waits for the other.
    settling = asyncio.ensure_future(scene.books.settle_debts())
    claiming = asyncio.ensure_future(scene.books.claim("r", 1, PERMIT))
    await _rounds()
    scene.ledger.mend()

    await settling
    assert await claiming == Claimed()

    assert scene.ledger.done == ["release r", "claim r"]
    assert isinstance(await scene.ledger.find("r"), Running)


async def test_debts_that_are_added_meanwhile_are_told_too() -> None:
    scene = Scene()
    await scene.fail_to_claim()
    scene.ledger.suffer(LedgerFault.HANGS, "release")
    settling = asyncio.ensure_future(scene.books.settle_debts())
    await _rounds()
    scene.ledger.suffer(LedgerFault.REFUSED, "claim")
    with pytest.raises(LedgerUnavailable):
        await scene.books.claim("late", 1, PERMIT)
    scene.ledger.mend()

    await settling

    assert scene.ledger.done == ["release r", "release late"]


async def test_debts_that_still_cannot_be_told_stay_owed() -> None:
    scene = Scene()
    await scene.fail_to_claim()
    scene.ledger.suffer(LedgerFault.REFUSED, "release")
    with pytest.raises(LedgerUnavailable):
        await scene.books.settle_debts()
    scene.ledger.mend()

    await scene.books.settle_debts()

    assert scene.ledger.done == ["release r"]


@pytest.mark.parametrize("known", [SUBMITTED, DOUBT, None])
async def test_a_note_comes_back_when_it_is_on_record(known: SubmittedRecord | DoubtRecord | None) -> None:
    scene = Scene()
    await scene.books.claim("r", 1, PERMIT)
    operation = "release" if known is None else "record"
    scene.ledger.suffer(LedgerFault.HANGS, operation)
    noting = asyncio.ensure_future(scene.books.note("r", known))
    await scene.ledger.until(lambda: f"{operation} r" in scene.ledger.begun)
    await _rounds()
    assert not noting.done()

    scene.ledger.mend()
    await noting

    assert await scene.ledger.find("r") == known


@pytest.mark.parametrize("fault", UNABLE)
async def test_a_note_that_was_not_taken_closes_the_gate_and_is_told_again_when_it_opens(fault: LedgerFault) -> None:
    scene = Scene()
    await scene.books.claim("r", 1, PERMIT)
    scene.ledger.suffer(fault, "record")
    noting = asyncio.ensure_future(scene.books.note("r", SUBMITTED))
    await scene.observer.wait_for(ConsumptionPaused)
    scene.ledger.mend()
    await _rounds()
    assert not noting.done()

    scene.gate.open(PauseReason.LEDGER)
    async with asyncio.timeout(1):
        await noting

    assert await scene.ledger.find("r") == SUBMITTED
    assert not scene.observer.of(RecordMissing)


@pytest.mark.parametrize("fault", LedgerFault)
@pytest.mark.parametrize(("known", "task_id"), [(SUBMITTED, "t-1"), (DOUBT, None), (None, None)])
def test_a_note_that_is_not_taken_within_patience_is_owed_and_told_later(
    known: SubmittedRecord | DoubtRecord | None, task_id: str | None, fault: LedgerFault
) -> None:
    async def scenario() -> None:
        scene = Scene()
        await scene.books.claim("r", 1, PERMIT)
        scene.ledger.suffer(fault, "record", "release")

        await scene.books.note("r", known)

        assert loop_time() == pytest.approx(PATIENCE)
        assert scene.observer.of(RecordMissing) == [RecordMissing("r", task_id)]
        # Whoever opens the gate tells first what is owed.
        assert scene.gate.closed == {PauseReason.LEDGER}
        scene.ledger.mend()
        await scene.books.settle_debts()
        assert await scene.ledger.find("r") == known

    in_virtual_time(scenario)


@pytest.mark.parametrize("fault", LedgerFault)
@pytest.mark.parametrize(("known", "task_id"), [(SUBMITTED, "t-1"), (DOUBT, None), (None, None)])
async def test_a_note_that_is_cut_names_its_task_and_stays_owed(
    known: SubmittedRecord | DoubtRecord | None, task_id: str | None, fault: LedgerFault
) -> None:
    scene = Scene()
    await scene.books.claim("r", 1, PERMIT)
    scene.ledger.suffer(fault, "record", "release")
    noting = asyncio.ensure_future(scene.books.note("r", known))
    await _rounds()

    noting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await noting

    assert scene.observer.of(RecordMissing) == [RecordMissing("r", task_id)]
    scene.ledger.mend()
    await scene.books.settle_debts()
    assert await scene.ledger.find("r") == known


def test_a_record_that_is_owed_outlives_a_claim_that_fails_for_it() -> None:
    async def scenario() -> None:
        scene = Scene()
        await scene.books.claim("r", 1, PERMIT)
        scene.ledger.suffer(LedgerFault.REFUSED, "record", "claim")
        await scene.books.note("r", SUBMITTED)
        with pytest.raises(LedgerUnavailable):
            await scene.books.claim("r", 2, PERMIT)
        scene.ledger.mend()

        assert await scene.books.claim("r", 2, PERMIT) == SUBMITTED

    in_virtual_time(scenario)


WEATHER = st.lists(
    st.tuples(
        st.sampled_from(["claim", "release", "record", "ping"]),
        st.sampled_from([None, *LedgerFault]),
        st.one_of(st.integers(0, 5), st.sampled_from([0.7, 3.0, 30.0])),
    ),
    max_size=20,
)
RESULTS = st.lists(st.sampled_from([None, SUBMITTED, DOUBT]), min_size=1, max_size=4)


@settings(max_examples=200, deadline=None)
@given(weather=WEATHER, plans=st.lists(RESULTS, min_size=1, max_size=3))
def test_no_claim_is_undone_and_everything_is_on_record_in_the_end_whatever_the_ledger_does(
    weather: list[tuple[str, LedgerFault | None, int | float]],
    plans: list[list[SubmittedRecord | DoubtRecord | None]],
) -> None:
    """Each request makes its calls one after the other while faults of the ledger come and go."""

    async def scenario() -> None:
        scene = Scene()
        watching = asyncio.ensure_future(watch_ledger(scene.ledger, scene.gate, scene.books.settle_debts))

        async def claimed(name: str) -> bool:
            while True:
                try:
                    return isinstance(await scene.books.claim(name, 1, PERMIT), Claimed)
                except LedgerUnavailable:
                    while scene.gate.closed:
                        await scene.gate.change()

        async def request(name: str, results: list[SubmittedRecord | DoubtRecord | None]) -> None:
            for result in results:
                if not await claimed(name):
                    return
                await _rounds(5)
                # The call is under way: its claim stands.
                assert isinstance(await scene.ledger.kept.find(name), Running)
                await scene.books.note(name, result)

        requests = [asyncio.ensure_future(request(f"r-{n}", plan)) for n, plan in enumerate(plans)]
        for operation, fault, wait in weather:
            if fault is None:
                scene.ledger.mend()
            else:
                scene.ledger.suffer(fault, operation)
            await (_rounds(wait) if isinstance(wait, int) else asyncio.sleep(wait))
        scene.ledger.mend()
        await asyncio.gather(*requests)
        await asyncio.sleep(10)
        assert not scene.gate.closed
        for number, plan in enumerate(plans):
            final = next((result for result in plan if result is not None), None)
            assert await scene.ledger.find(f"r-{number}") == final
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)

    in_virtual_time(scenario)


async def test_a_defect_of_the_ledger_costs_no_result_and_leaves_the_record_owed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def defective(*_: object) -> None:
        raise RuntimeError

    scene = Scene()
    await scene.books.claim("r", 1, PERMIT)
    with monkeypatch.context() as broken:
        broken.setattr(scene.ledger, "record", defective)

        await scene.books.note("r", SUBMITTED)

    assert [fact.task_id for fact in scene.observer.of(RecordMissing)] == [SUBMITTED.task_id]
    assert len(scene.observer.of(DefectFound)) == 1
    await scene.books.settle_debts()
    assert await scene.ledger.find("r") == SUBMITTED
