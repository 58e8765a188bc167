import pytest

from service.core.facts import (
    BrokerBlocked,
    ConsumerActive,
    ConsumptionPaused,
    DrainStarted,
    Fact,
    LinkDown,
    LinkRole,
    LinkUp,
    LoopLag,
    PauseReason,
)
from service.core.readiness import ReadinessObserver

UP: tuple[Fact, ...] = (
    LinkUp(LinkRole.PUBLISH, first=True),
    LinkUp(LinkRole.CONSUME, first=True),
    ConsumerActive(active=True),
)


def observer_after(*facts: Fact) -> ReadinessObserver:
    observer = ReadinessObserver()
    for fact in facts:
        observer.notify(fact)
    return observer


def test_a_worker_that_has_heard_nothing_is_not_ready_and_says_why() -> None:
    readiness = observer_after().ready()
    assert not readiness.ok
    assert readiness.reasons == (
        "the broker connection for 'consume' is down",
        "the broker connection for 'publish' is down",
        "the broker has not confirmed the consumer",
    )


def test_both_links_and_the_consumer_make_it_ready() -> None:
    readiness = observer_after(*UP).ready()
    assert readiness.ok
    assert readiness.details == {
        "consume_connected": True,
        "publish_connected": True,
        "paused_blocked": False,
        "paused_endpoint_down": False,
        "paused_ledger": False,
        "paused_broker": False,
        "consuming": True,
        "broker_blocked": False,
        "draining": False,
    }


@pytest.mark.parametrize("missing", UP)
def test_it_is_not_ready_while_one_of_them_is_missing(missing: Fact) -> None:
    assert not observer_after(*(fact for fact in UP if fact is not missing)).ready().ok


@pytest.mark.parametrize(
    ("fact", "reasons"),
    [
        (LinkDown(LinkRole.PUBLISH, "reset", 1.0), ("the broker connection for 'publish' is down",)),
        (BrokerBlocked(blocked=True), ("the broker holds publishes back (memory or disk alarm)",)),
        (ConsumerActive(active=False), ("the broker has not confirmed the consumer",)),
        (DrainStarted(in_flight=3), ("the worker is draining",)),
        (
            ConsumptionPaused(PauseReason.BLOCKED, paused=True, why="check key and balance"),
            ("paused (blocked): check key and balance",),
        ),
        (
            LinkDown(LinkRole.CONSUME, "reset", 1.0),
            ("the broker connection for 'consume' is down", "the broker has not confirmed the consumer"),
        ),
    ],
)
def test_it_stops_being_ready_and_says_why(fact: Fact, reasons: tuple[str, ...]) -> None:
    assert observer_after(*UP, fact).ready().reasons == reasons


def test_a_consumer_of_a_lost_connection_must_be_confirmed_again() -> None:
    lost = (*UP, LinkDown(LinkRole.CONSUME, "reset", 1.0), LinkUp(LinkRole.CONSUME, first=False))
    assert not observer_after(*lost).ready().ok
    assert observer_after(*lost, ConsumerActive(active=True)).ready().ok


def test_a_drain_never_ends() -> None:
    assert not observer_after(*UP, DrainStarted(0), *UP).ready().ok


def test_other_facts_change_nothing() -> None:
    assert observer_after(*UP, LoopLag(60.0)).ready().ok


@pytest.mark.parametrize("reason", PauseReason)
def test_each_pause_is_told_until_it_is_over(reason: PauseReason) -> None:
    observer = observer_after(*UP, ConsumptionPaused(reason, paused=True, why="why"))
    assert observer.ready().details[f"paused_{reason}"]
    assert not observer.ready().ok

    observer.notify(ConsumptionPaused(reason, paused=False))

    assert not observer.ready().details[f"paused_{reason}"]
    assert observer.ready().ok
