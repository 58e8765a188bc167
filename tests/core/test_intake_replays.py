"""Forced replays: what such a message allows, no call that runs already knows of."""

import asyncio

import pytest

from service.core.facts import Joined, Settled, SettlementAbandoned
from tests.support.fakes import Verdict
from tests.support.intake_scene import IntakeScene


async def _rounds(count: int = 20) -> None:
    for _ in range(count):
        await asyncio.sleep(0)  # one round of the event loop, no time


async def test_a_forced_replay_runs_after_the_request_that_does_not_know_of_it() -> None:
    scene = IntakeScene()
    scene.caller.hold()
    scene.accept("r")
    await scene.caller.wait_for_calls()
    replay = scene.accept("r", replay="copy-1")
    await _rounds()
    assert len(scene.caller.calls) == 1

    scene.caller.release()
    await scene.finished()

    assert [call.replay for call in scene.caller.calls] == [None, "copy-1"]
    assert replay.verdict is Verdict.ACKED
    assert not scene.observer.of(Joined)
    assert len(scene.observer.of(Settled)) == 2


async def test_a_forced_replay_waits_until_the_request_before_it_is_settled() -> None:
    scene = IntakeScene()
    scene.publisher.go_away()
    scene.accept("r")
    await scene.publisher.wait_for_waiting()
    scene.accept("r", replay="copy-1")
    await _rounds()
    assert len(scene.caller.calls) == 1

    scene.publisher.come_back()
    await scene.finished()

    assert len(scene.caller.calls) == 2


async def test_another_replay_does_not_join_either_and_each_is_called_with_its_own_permit() -> None:
    scene = IntakeScene()
    scene.caller.hold()
    scene.accept("r", replay="copy-1")
    await scene.caller.wait_for_calls()
    scene.accept("r", replay="copy-2")
    scene.accept("r", replay="copy-3")

    scene.caller.release()
    await scene.finished()

    assert [call.replay for call in scene.caller.calls] == ["copy-1", "copy-2", "copy-3"]


@pytest.mark.parametrize("replay", ["copy-1", None], ids=["the same replay", "no replay"])
async def test_a_copy_that_allows_no_more_than_the_running_replay_joins_it(replay: str | None) -> None:
    scene = IntakeScene()
    scene.caller.hold()
    scene.accept("r", replay="copy-1")
    await scene.caller.wait_for_calls()

    copy = scene.accept("r", replay=replay)
    scene.caller.release()
    await scene.finished()

    assert len(scene.caller.calls) == 1
    assert copy.verdict is Verdict.ACKED
    assert scene.observer.of(Joined) == [Joined("r", redelivered=False)]


async def test_a_replay_that_was_held_back_is_handed_back_where_the_drain_began_meanwhile() -> None:
    scene = IntakeScene()
    scene.caller.hold()
    scene.accept("r")
    await scene.caller.wait_for_calls()
    replay = scene.accept("r", replay="copy-1")

    scene.drain.begin()
    scene.caller.release()
    await scene.finished()

    assert replay.verdict is Verdict.HANDED_BACK
    assert len(scene.caller.calls) == 1


async def test_a_replay_that_was_held_back_is_abandoned_by_name() -> None:
    scene = IntakeScene()
    scene.caller.hold()
    scene.accept("r")
    await scene.caller.wait_for_calls()
    scene.accept("r", replay="copy-1")

    assert await scene.intake.abandon() == 2

    assert scene.observer.of(SettlementAbandoned) == [SettlementAbandoned("r", None)] * 2
    assert len(scene.caller.calls) == 1
