import asyncio

from service.simulator.hold import Gate


async def _waiting(gate: Gate, count: int) -> list[asyncio.Task[None]]:
    tasks = [asyncio.create_task(gate.wait()) for _ in range(count)]
    await asyncio.sleep(0)
    return tasks


async def test_a_release_lets_out_those_who_wait() -> None:
    gate = Gate()
    tasks = await _waiting(gate, 3)
    assert gate.release() == 3
    await asyncio.gather(*tasks)


async def test_newcomers_wait_for_the_next_release() -> None:
    gate = Gate()
    gate.release()
    (task,) = await _waiting(gate, 1)
    assert not task.done()
    assert gate.release() == 1
    await task


async def test_a_gate_that_was_opened_for_good_holds_nobody() -> None:
    gate = Gate()
    gate.release(for_good=True)
    await gate.wait()


async def test_a_gate_can_be_shut_again() -> None:
    gate = Gate()
    gate.release(for_good=True)
    gate.shut()
    (task,) = await _waiting(gate, 1)
    assert not task.done()
    gate.release()
    await task


async def test_who_gave_up_waiting_is_not_counted() -> None:
    gate = Gate()
    (task,) = await _waiting(gate, 1)
    task.cancel()
    await asyncio.wait({task})
    assert gate._waiting == set()
    assert gate.release() == 0
