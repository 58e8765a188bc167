import pytest

from service.core.broker_pauses import BrokerPauses
from service.core.drain import Drain
from service.core.facts import BrokerBlocked, Fact, LinkDown, LinkRole, LinkUp, LoopLag, PauseReason, QueueRefuses
from service.core.gate import Gate
from tests.support.fakes import RecordingObserver

DOWN = LinkDown(LinkRole.PUBLISH, "reset", 1.0)
UP = LinkUp(LinkRole.PUBLISH, first=False)
FULL, ROOM = QueueRefuses("dead", refuses=True), QueueRefuses("dead", refuses=False)
ALARM, ALL_CLEAR = BrokerBlocked(blocked=True), BrokerBlocked(blocked=False)


def _gate_after(*facts: Fact) -> Gate:
    gate = Gate(Drain(), RecordingObserver(), patience=1.0)
    pauses = BrokerPauses(gate)
    for fact in facts:
        pauses.notify(fact)
    return gate


@pytest.mark.parametrize(
    ("facts", "closed"),
    [
        ((), False),
        ((DOWN,), True),
        ((ALARM,), True),
        ((DOWN, UP), False),
        ((ALARM, ALL_CLEAR), False),
        ((DOWN, ALARM, UP), True),
        ((DOWN, ALARM, ALL_CLEAR), True),
        ((DOWN, ALARM, UP, ALL_CLEAR), False),
        ((LinkDown(LinkRole.CONSUME, "reset", 1.0),), False),
        ((DOWN, LinkUp(LinkRole.CONSUME, first=False)), True),
        ((FULL,), True),
        ((FULL, ROOM), False),
        ((FULL, QueueRefuses("other", refuses=True), ROOM), True),
        ((FULL, DOWN, UP), True),
        ((DOWN, FULL, ROOM), True),
    ],
)
def test_no_call_starts_while_results_cannot_be_published(facts: tuple[Fact, ...], *, closed: bool) -> None:
    assert _gate_after(*facts).closed == ({PauseReason.BROKER} if closed else frozenset())


def test_other_reasons_and_other_facts_are_left_alone() -> None:
    gate = _gate_after()
    gate.close(PauseReason.LEDGER, "why")
    pauses = BrokerPauses(gate)

    for fact in (DOWN, LoopLag(3.0), UP):
        pauses.notify(fact)

    assert gate.closed == {PauseReason.LEDGER}
