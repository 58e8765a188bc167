"""Looks through a parking queue: every message is read and held, those that are meant are handed on."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from service.cli.exits import FAILED, INTERRUPTED, fail, known_errors_exit

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable

    from rich.progress import Progress, TaskID
    from rich.table import Table

    from service.adapters.rabbitmq.parking import Held, Parking
    from service.core.delivery import Delivery
    from service.core.parked import Parked, Selection
    from service.settings import BrokerSettings


@dataclass(frozen=True, slots=True)
class Place:
    """A parking queue, how its messages are read, and how they are shown."""

    broker: "BrokerSettings"
    queue: str
    read: "Callable[[Delivery, datetime], Parked]"
    table: "Callable[[Iterable[Parked], datetime], Table]"


@dataclass(frozen=True, slots=True)
class Browser:
    """An open parking queue and the bar that shows how far it was read."""

    parking: "Parking"
    place: Place
    progress: "Progress"
    bar: "TaskID"

    async def picked(self, selection: "Selection", now: datetime) -> "AsyncIterator[tuple[Held, Parked]]":
        """Yield the messages that are meant. The others are held too, until all is over.

        Raises:
            ParkingError: the connection was lost.
        """
        async for held in self.parking.messages():
            self.progress.advance(self.bar)
            parked = self.place.read(held.delivery, now)
            if selection.takes(parked, now):
                yield held, parked

    def say(self, text: str) -> None:
        """Put a word beside the bar."""
        self.progress.update(self.bar, description=text)


@asynccontextmanager
async def open_browser(place: Place, *, target: str | None = None) -> AsyncIterator[Browser]:
    """Open a parking queue; `target` is a queue that has to be there as well.

    Raises:
        ParkingError: the broker or a queue cannot be used.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    from service.adapters.rabbitmq.parking import open_parking
    from service.adapters.system import new_id

    counts = TextColumn("{task.completed:.0f} of {task.total:.0f} read {task.description}")
    async with open_parking(place.broker, place.queue, new_id, target=target) as parking:
        # On standard error, so that standard output holds the answer alone.
        console = Console(stderr=True)
        with Progress(
            counts, BarColumn(), console=console, transient=True, disable=not console.is_terminal
        ) as progress:
            yield Browser(parking, place, progress, progress.add_task("", total=parking.size))


def run_to_its_end(work: "Callable[[], Coroutine[Any, Any, None]]", report: Callable[[], str | None]) -> None:
    """Run a command; whatever ends it early is told together with `report`, what was done by then."""
    from service.adapters.rabbitmq.parking import ParkingError
    from service.cli.signals import cancel_on_signals

    async def main() -> None:
        cancel_on_signals()
        await work()

    try:
        with known_errors_exit():
            asyncio.run(main())
    except ParkingError as error:
        fail(_together(str(error), report()), FAILED)
    except (KeyboardInterrupt, asyncio.CancelledError):
        fail(_together("Interrupted.", report()), INTERRUPTED)


def exit_without_match(place: Place) -> NoReturn:
    """Say that no message is meant, and exit with status 1."""
    typer.echo(f"Nothing in the queue {place.queue!r} matches.", err=True)
    raise typer.Exit(FAILED)


def _together(reason: str, done: str | None) -> str:
    return f"{reason}\n{done}" if done else reason
