import asyncio

import pytest

from service.cli.parked.replaying import Report, _to_its_end


async def test_an_interruption_waits_for_the_move_under_way() -> None:
    began, may_end = asyncio.Event(), asyncio.Event()
    moved = False

    async def move() -> None:
        nonlocal moved
        began.set()
        await may_end.wait()
        moved = True

    moving = asyncio.create_task(_to_its_end(move()))
    await began.wait()
    moving.cancel()
    asyncio.get_running_loop().call_soon(may_end.set)
    with pytest.raises(asyncio.CancelledError):
        await moving
    assert moved


def test_a_report_names_the_first_of_many_that_were_left() -> None:
    report = Report(dry_run=False)
    for number in range(25):
        report.leave("maybe_paid", f"r{number}")
    said = report.text()
    assert said.startswith("0 replayed.\n25 left where they are.")
    assert said.endswith("r18, r19 and 5 more")


def test_ids_in_a_report_are_harmless() -> None:
    report = Report(dry_run=False)
    report.leave("returned", "\x1b[2J")
    assert report.text().endswith("  \\x1b[2J")
