import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from typing_extensions import override

from service.core.bookkeeping import Bookkeeping
from service.core.call import Answer
from service.core.drain import Drain
from service.core.facts import ConsumptionPaused, Fact, PauseReason
from service.core.gate import Gate
from service.core.ledger import DoubtRecord, LedgerUnavailable, Permit
from service.core.ledger_watch import watch_ledger
from tests.support.fakes import FakeClock, RecordingObserver
from tests.support.flaky_ledger import FlakyLedger, LedgerFault
from tests.support.virtual_time import in_virtual_time, loop_time


class ToldAtOpening(RecordingObserver):
    """Remembers what the ledger had been told whenever the gate opened, and when."""

    def __init__(self, ledger: FlakyLedger) -> None:
        super().__init__()
        self._ledger = ledger
        self.told: list[list[str]] = []
        self.times: list[float] = []

    @override
    def notify(self, fact: Fact) -> None:
        if isinstance(fact, ConsumptionPaused) and not fact.paused:
            self.told.append(self._ledger.done.copy())
            self.times.append(loop_time())
        super().notify(fact)


class Scene:
    def __init__(self) -> None:
        self.ledger = FlakyLedger(FakeClock())
        self.observer = ToldAtOpening(self.ledger)
        self.gate = Gate(Drain(), self.observer, patience=1000.0)
        self.books = Bookkeeping(self.ledger, self.gate, self.observer, patience=1000.0)

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        watching = asyncio.ensure_future(watch_ledger(self.ledger, self.gate, self.books.settle_debts, interval=1.0))
        await _rounds()
        yield
        assert not watching.done()
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)

    async def fail_to_claim(self, request_id: str) -> None:
        self.ledger.suffer(LedgerFault.ANSWER_LOST, "claim")
        with pytest.raises(LedgerUnavailable):
            await self.books.claim(request_id, 1, Permit())
        self.ledger.mend("claim")


async def _rounds(count: int = 20) -> None:
    for _ in range(count):
        await asyncio.sleep(0)  # one round of the event loop, no time


def _run(scenario: Callable[[Scene], Awaitable[None]]) -> None:
    async def running() -> None:
        await scenario(Scene())

    in_virtual_time(running)


def test_a_ledger_that_is_away_at_the_start_closes_the_gate() -> None:
    async def scenario(scene: Scene) -> None:
        scene.ledger.suffer(LedgerFault.REFUSED, "ping")
        async with scene.watched():
            assert scene.gate.closed == {PauseReason.LEDGER}

    _run(scenario)


def test_a_ledger_that_is_there_is_asked_once_and_the_gate_stays_open() -> None:
    async def scenario(scene: Scene) -> None:
        async with scene.watched():
            await asyncio.sleep(100)
            assert scene.ledger.begun == ["ping"]
            assert not scene.observer.facts

    _run(scenario)


def test_a_ledger_that_is_away_is_looked_at_each_second_until_it_is_back() -> None:
    async def scenario(scene: Scene) -> None:
        scene.ledger.suffer(LedgerFault.REFUSED, "ping")
        async with scene.watched():
            await asyncio.sleep(9.5)
            assert len(scene.ledger.begun) == 10
            scene.ledger.mend()
            await asyncio.sleep(100)
            assert scene.observer.times == [10.0]
            assert not scene.gate.closed

    _run(scenario)


def test_each_closing_is_followed_by_a_look_a_second_later() -> None:
    async def scenario(scene: Scene) -> None:
        async with scene.watched():
            for _ in range(3):
                scene.gate.close(PauseReason.LEDGER, "why")
                await asyncio.sleep(0.9)
                assert scene.gate.closed
                await asyncio.sleep(0.2)
                assert not scene.gate.closed
            assert scene.ledger.begun == ["ping"] * 4


def test_a_ledger_that_takes_pings_and_refuses_claims_does_not_make_the_gate_flutter() -> None:
    async def scenario(scene: Scene) -> None:
        scene.ledger.suffer(LedgerFault.REFUSED, "record")
        async with scene.watched():
            noting = asyncio.ensure_future(scene.books.note("r", DoubtRecord(Answer(), 1)))
            await asyncio.sleep(10.5)
            assert scene.observer.times == pytest.approx(range(1, 11))
            scene.ledger.mend()
            await noting

    _run(scenario)


def test_other_reasons_are_left_alone() -> None:
    async def scenario(scene: Scene) -> None:
        scene.gate.close(PauseReason.BLOCKED, "why")
        async with scene.watched():
            scene.gate.close(PauseReason.LEDGER, "why")
            await asyncio.sleep(2)
            assert scene.gate.closed == {PauseReason.BLOCKED}

    _run(scenario)


def test_what_is_owed_is_told_before_the_gate_opens() -> None:
    async def scenario(scene: Scene) -> None:
        await scene.fail_to_claim("r")
        async with scene.watched():
            assert scene.observer.told == [["ping", "release r"]]

    _run(scenario)


def test_the_gate_stays_closed_while_something_is_owed() -> None:
    async def scenario(scene: Scene) -> None:
        await scene.fail_to_claim("r")
        scene.ledger.suffer(LedgerFault.REFUSED, "release")
        async with scene.watched():
            await asyncio.sleep(100)
            assert scene.gate.closed == {PauseReason.LEDGER}
            scene.ledger.mend()
            await asyncio.sleep(1)
            assert not scene.gate.closed

    _run(scenario)


def test_what_becomes_owed_while_others_are_told_is_told_before_the_gate_opens_too() -> None:
    async def scenario(scene: Scene) -> None:
        await scene.fail_to_claim("r")
        scene.ledger.suffer(LedgerFault.HANGS, "release")
        async with scene.watched():
            await scene.fail_to_claim("late")
            scene.ledger.mend()
            await _rounds()
            assert scene.observer.told == [["ping", "release r", "release late"]]

    _run(scenario)
