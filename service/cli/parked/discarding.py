"""Takes parked messages away for good, after a look at what that means."""

from typing import TYPE_CHECKING

import typer

from service.cli.exits import FAILED
from service.cli.parked.browsing import Place, exit_without_match, open_browser, run_to_its_end
from service.cli.parked.view import Totals

if TYPE_CHECKING:
    from service.core.parked import Selection


def discard_parked(place: Place, selection: "Selection", limit: int | None, *, ask: bool) -> None:
    """Discard what is meant and exit: 0 done, 1 nothing is meant, or some of it was gone, or the answer was no.

    The connection is not held while a person thinks: it would miss its heartbeats. So what the question was about is
    remembered, and no message that came in since is discarded.
    """
    meant = _asked_about(place, selection, limit) if ask else None
    done = Totals()

    async def work() -> None:
        await _discard(place, selection, limit, meant, done)

    run_to_its_end(work, lambda: f"{done.count} were discarded.")
    if not done.count:
        exit_without_match(place)
    typer.echo(f"{done.count} discarded: {done.text()}.")
    if meant is not None and done.count < len(meant):
        typer.echo(f"{len(meant) - done.count} of those that you were asked about are no longer there.", err=True)
        raise typer.Exit(FAILED)


def _asked_about(place: Place, selection: "Selection", limit: int | None) -> set[str]:
    found = Totals()
    keys: set[str] = set()

    async def work() -> None:
        await _look(place, selection, limit, keys, found)

    run_to_its_end(work, lambda: "Nothing was discarded.")
    if not found.count:
        exit_without_match(place)
    tasks = f" {found.with_task} of them name a task that was paid for." if found.with_task else ""
    typer.echo(f"{found.count} in the queue {place.queue!r}: {found.text()}.{tasks}")
    if not typer.confirm("Discard them for good?"):
        typer.echo("Nothing was discarded.", err=True)
        raise typer.Exit(FAILED)
    return keys


async def _look(place: Place, selection: "Selection", limit: int | None, keys: set[str], found: Totals) -> None:
    from service.adapters.system import SystemClock

    async with open_browser(place) as browser:
        async for _, parked in browser.picked(selection, SystemClock().now()):
            keys.add(parked.key)
            found.add(parked)
            if found.count == limit:
                return


async def _discard(
    place: Place, selection: "Selection", limit: int | None, meant: set[str] | None, done: Totals
) -> None:
    from service.adapters.system import SystemClock
    from service.core.parked import Selection

    # What was asked about is discarded also where it has outgrown a filter for its age by now.
    wanted = selection if meant is None else Selection()
    async with open_browser(place) as browser:
        async for held, parked in browser.picked(wanted, SystemClock().now()):
            if meant is not None and parked.key not in meant:
                continue
            await browser.parking.take_out(held)
            done.add(parked)
            if done.count == limit:
                break
        await browser.parking.settled()
