"""Shows what is parked; everything stays where it is."""

from datetime import datetime
from typing import TYPE_CHECKING

import typer

from service.cli.parked.browsing import Place, exit_without_match, open_browser, run_to_its_end
from service.cli.parked.view import Totals, in_full, json_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.adapters.rabbitmq.parking import Held
    from service.core.parked import Parked, Selection

    OnPicked = Callable[[Held, Parked], None]

_ROWS = 200


def print_table(place: Place, selection: "Selection", limit: int | None) -> None:
    """Print a table of at most `limit` messages and the totals of all; exit 1 where nothing matches."""
    from rich.console import Console

    rows: list[Parked] = []
    totals = Totals()

    def take(_: "Held", parked: "Parked") -> None:
        totals.add(parked)
        if len(rows) < (limit or _ROWS):
            rows.append(parked)

    now = _read(place, selection, None, take)
    if not rows:
        exit_without_match(place)
    Console().print(place.table(rows, now))
    typer.echo(f"{totals.count} in the queue {place.queue!r}: {totals.text()}.")
    if len(rows) < totals.count:
        typer.echo(f"The first {len(rows)} are shown; --limit shows more, --code and --older-than pick some.")


def print_json(place: Place, selection: "Selection", limit: int | None) -> None:
    """Print one JSON object a line, as they are read; exit 1 where nothing matches."""
    totals = Totals()
    now = _now()

    def take(_: "Held", parked: "Parked") -> None:
        totals.add(parked)
        typer.echo(json_line(parked, now))

    _read(place, selection, limit, take)
    if not totals.count:
        exit_without_match(place)


def print_in_full(place: Place, request_id: str) -> None:
    """Print every message of a request with properties, headers and body; exit 1 where there is none."""
    from service.core.parked import Selection

    totals = Totals()

    def take(held: "Held", parked: "Parked") -> None:
        if totals.count:
            typer.echo()
        totals.add(parked)
        typer.echo(in_full(held.delivery, parked))

    _read(place, Selection(request_ids=frozenset({request_id})), None, take)
    if not totals.count:
        exit_without_match(place)


def _read(place: Place, selection: "Selection", limit: int | None, take: "OnPicked") -> datetime:
    now = _now()

    async def work() -> None:
        picked = 0
        async with open_browser(place) as browser:
            async for held, parked in browser.picked(selection, now):
                take(held, parked)
                picked += 1
                if picked == limit:
                    return

    run_to_its_end(work, lambda: None)
    return now


def _now() -> datetime:
    from service.adapters.system import SystemClock

    return SystemClock().now()
