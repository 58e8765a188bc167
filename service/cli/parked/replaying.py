"""Publishes parked messages again, and tells what was left and why."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import typer

from service.cli.exits import FAILED
from service.cli.parked.browsing import Browser, Place, exit_without_match, open_browser, run_to_its_end
from service.cli.parked.printable import printable

if TYPE_CHECKING:
    from datetime import datetime

    from service.adapters.rabbitmq.parking import Held
    from service.core.delivery import Delivery
    from service.core.outgoing import Outgoing
    from service.core.parked import Parked, Selection
    from service.core.replay import Left

    Make = Callable[[Delivery, Parked, datetime], Outgoing | Left]

_NAMED = 20
_WHY = {
    "paid": "A call for it was paid and has a task id. Look for the video under that id (`show`), then discard it",
    "maybe_paid": "A call for it may have been paid, and a replay may be charged a second time: --force replays it",
    "deadline_over": "Its deadline is over, so it would end as expired again: --drop-deadline replays it without one",
    "direct_reply": "Its reply address ended with the connection of its producer: name a queue with --to",
    "no_address": "It does not say which queue it was for: name one with --to",
    "returned": "There is no such queue: make it again, or name another with --to",
    "nacked": "The queue refused it, which full queues do: try again later",
}


@dataclass(frozen=True, slots=True)
class Pace:
    """How a replay goes: messages a second, after how many it ends, and whether it only tells."""

    rate: float
    limit: int | None
    dry_run: bool


@dataclass(slots=True)
class Report:
    """What became of the messages: how many were replayed, and the ids of the others by the reason."""

    dry_run: bool
    replayed: int = 0
    left: dict[str, list[str]] = field(default_factory=dict)

    def leave(self, why: str, request_id: str) -> None:
        """Note a message that stays."""
        self.left.setdefault(why, []).append(request_id)

    def text(self) -> str:
        """Write what was done, what was left and why."""
        done = f"{self.replayed} would be replayed." if self.dry_run else f"{self.replayed} replayed."
        return "\n".join([done, *(_left_text(why, ids) for why, ids in self.left.items())])


def replay_parked(place: Place, selection: "Selection", make: "Make", pace: Pace, *, target: str | None = None) -> None:
    """Replay what is meant and exit: 0 all of it was replayed, 1 none was meant or some was left."""
    report = Report(pace.dry_run)
    run_to_its_end(lambda: _replay(place, selection, make, pace, report, target), report.text)
    if not report.replayed and not report.left:
        exit_without_match(place)
    typer.echo(report.text())
    raise typer.Exit(FAILED if report.left else 0)


async def _replay(
    place: Place, selection: "Selection", make: "Make", pace: Pace, report: Report, target: str | None
) -> None:
    from aiolimiter import AsyncLimiter

    from service.adapters.system import SystemClock

    now = SystemClock().now()
    # One in each interval: the same rate from the first message on.
    limiter = AsyncLimiter(1, 1 / pace.rate)
    async with open_browser(place, target=target) as browser:
        async for held, parked in browser.picked(selection, now):
            message = make(held.delivery, parked, now)
            if isinstance(message, str):
                report.leave(message, parked.id)
            elif pace.dry_run:
                report.replayed += 1
            else:
                await limiter.acquire()
                await _to_its_end(_move(browser, held, parked, message, report))
            if report.replayed == pace.limit:
                break
        await browser.parking.settled()


async def _move(browser: Browser, held: "Held", parked: "Parked", message: "Outgoing", report: Report) -> None:
    from service.core.outgoing import PublishVerdict

    verdict = await browser.parking.publish(message)
    if verdict is not PublishVerdict.CONFIRMED:
        report.leave(verdict, parked.id)
        return
    await browser.parking.take_out(held)
    report.replayed += 1
    browser.say(f"{report.replayed} replayed")


async def _to_its_end(move: Coroutine[Any, Any, None]) -> None:
    # A signal between confirm and ack would leave the message in both queues.
    moving = asyncio.create_task(move)
    try:
        await asyncio.shield(moving)
    except asyncio.CancelledError:
        await moving
        raise


def _left_text(why: str, ids: list[str]) -> str:
    named = ", ".join(printable(request_id) for request_id in ids[:_NAMED])
    more = f" and {len(ids) - _NAMED} more" if len(ids) > _NAMED else ""
    return f"{len(ids)} left where they are. {_WHY[why]}.\n  {named}{more}"
