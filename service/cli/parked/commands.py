"""`list`, `show` and `discard`, which are the same for both parking queues."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from service.cli.exits import broker_settings_or_exit
from service.cli.parked.options import (
    BrokerUrl,
    Codes,
    Everything,
    Limit,
    NewerThan,
    OlderThan,
    Prefix,
    RequestIds,
    refuse_everything_by_accident,
    selection_of,
)

if TYPE_CHECKING:
    from service.cli.parked.browsing import Place
    from service.settings import BrokerSettings

PlaceOf = Callable[["BrokerSettings"], "Place"]

_RequestId = Annotated[str, typer.Argument(help="Request id, as `list` shows it.")]


def parking_app(what: str, place_of: PlaceOf) -> typer.Typer:
    """Make the commands of one parking queue."""
    app = typer.Typer(
        help=f"Look at, replay or discard {what}.",
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        epilog="Exit status: 0 done, 1 nothing matches or not all of it could be done, 2 wrong usage, 130 interrupted.",
    )
    _add_list(app, place_of)
    _add_show(app, place_of)
    _add_discard(app, place_of)
    return app


def place_or_exit(place_of: PlaceOf, broker_url: str | None, prefix: str | None) -> "Place":
    """Find the parking queue by the settings and options, or exit with status 2."""
    overrides = {"VIDEOGEN_BROKER__URL": broker_url, "VIDEOGEN_BROKER__PREFIX": prefix}
    return place_of(broker_settings_or_exit(overrides))


def _add_list(app: typer.Typer, place_of: PlaceOf) -> None:
    @app.command("list")
    def list_(
        *,
        codes: Codes = None,
        older_than: OlderThan = None,
        newer_than: NewerThan = None,
        request_ids: RequestIds = None,
        limit: Annotated[
            int | None, typer.Option(min=1, metavar="N", help="Show so many at most. [default: 200 rows]")
        ] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line, and no totals.")] = False,
        broker_url: BrokerUrl = None,
        prefix: Prefix = None,
    ) -> None:
        """List what is there, the oldest first, and count it by code. Nothing is changed, no prompt is shown."""
        from service.cli.parked.listing import print_json, print_table

        selection = selection_of(codes, request_ids, older_than, newer_than)
        place = place_or_exit(place_of, broker_url, prefix)
        (print_json if as_json else print_table)(place, selection, limit)


def _add_show(app: typer.Typer, place_of: PlaceOf) -> None:
    @app.command()
    def show(request_id: _RequestId, *, broker_url: BrokerUrl = None, prefix: Prefix = None) -> None:
        """Show one message in full: properties, headers and body. Nothing is changed."""
        from service.cli.parked.listing import print_in_full

        print_in_full(place_or_exit(place_of, broker_url, prefix), request_id)


def _add_discard(app: typer.Typer, place_of: PlaceOf) -> None:
    @app.command()
    def discard(  # noqa: PLR0913 - one parameter for each option
        *,
        codes: Codes = None,
        older_than: OlderThan = None,
        newer_than: NewerThan = None,
        request_ids: RequestIds = None,
        everything: Everything = False,
        limit: Limit = None,
        yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask first.")] = False,
        broker_url: BrokerUrl = None,
        prefix: Prefix = None,
    ) -> None:
        """Take messages away for good. Asks first, with the numbers."""
        from service.cli.parked.discarding import discard_parked

        selection = selection_of(codes, request_ids, older_than, newer_than)
        refuse_everything_by_accident(selection, everything=everything)
        discard_parked(place_or_exit(place_of, broker_url, prefix), selection, limit, ask=not yes)
