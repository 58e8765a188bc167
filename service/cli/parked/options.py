"""The options that pick parked messages and name the broker, shared by `dead` and `undelivered`."""

import math
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from service.cli.exits import WRONG_SETTINGS, fail

if TYPE_CHECKING:
    from service.core.parked import Selection


def _age(text: str) -> timedelta:
    from service.settings.durations import parse_duration

    try:
        return timedelta(seconds=parse_duration(text))
    except (ValueError, OverflowError) as error:
        raise typer.BadParameter(str(error)) from error


def _per_second(rate: float) -> float:
    if not 0 < rate < math.inf:
        raise typer.BadParameter("give a number above 0")
    return rate


Codes = Annotated[
    list[str] | None, typer.Option("--code", metavar="CODE", help="Messages with this code alone. Repeatable.")
]
OlderThan = Annotated[
    timedelta | None, typer.Option(parser=_age, metavar="AGE", help="Messages at least this old: 90s, 5m, 6h, 2d.")
]
NewerThan = Annotated[
    timedelta | None, typer.Option(parser=_age, metavar="AGE", help="Messages younger than this: 90s, 5m, 6h, 2d.")
]
RequestIds = Annotated[
    list[str] | None,
    typer.Option("--request-id", metavar="ID", help="The message of this request, as `list` shows it. Repeatable."),
]
Everything = Annotated[bool, typer.Option("--all", help="Every message; needed where no filter is given.")]
Limit = Annotated[int | None, typer.Option(min=1, metavar="N", help="Stop after so many messages.")]
Rate = Annotated[float, typer.Option(callback=_per_second, metavar="N", help="Messages a second, at most.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Tell what would be replayed, and change nothing.")]
BrokerUrl = Annotated[
    str | None, typer.Option(metavar="URL", help="AMQP address of the broker. [default: VIDEOGEN_BROKER__URL]")
]
Prefix = Annotated[
    str | None, typer.Option(metavar="NAME", help="Prefix of the queue names. [default: VIDEOGEN_BROKER__PREFIX]")
]


def selection_of(
    codes: list[str] | None,
    request_ids: list[str] | None,
    older_than: timedelta | None,
    newer_than: timedelta | None,
) -> "Selection":
    """Put the filters together."""
    from service.core.parked import Selection

    return Selection(frozenset(codes or ()), frozenset(request_ids or ()), older_than, newer_than)


def refuse_everything_by_accident(selection: "Selection", *, everything: bool) -> None:
    """Exit with status 2 unless either a filter or `--all` was given."""
    if selection.is_everything and not everything:
        fail(
            "name the messages that you mean: give --code, --request-id, --older-than or --newer-than, "
            "or --all for every message; `list` shows what is there",
            WRONG_SETTINGS,
        )
    if everything and not selection.is_everything:
        fail("--all means every message; give either --all or filters", WRONG_SETTINGS)
