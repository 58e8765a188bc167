"""`videogen-worker dead`: requests that ended in an error, and poison."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from service.cli.parked.commands import parking_app, place_or_exit
from service.cli.parked.options import (
    BrokerUrl,
    Codes,
    DryRun,
    Everything,
    Limit,
    NewerThan,
    OlderThan,
    Prefix,
    Rate,
    RequestIds,
    refuse_everything_by_accident,
    selection_of,
)

if TYPE_CHECKING:
    from service.cli.parked.browsing import Place
    from service.core.delivery import Delivery
    from service.core.outgoing import Outgoing
    from service.core.parked import Parked
    from service.core.replay import Left
    from service.settings import BrokerSettings

_Force = Annotated[
    bool,
    typer.Option("--force", help="Replay those too that may have been paid for. Each may be charged a second time."),
]
_DropDeadline = Annotated[
    bool, typer.Option("--drop-deadline", help="Replay without the deadline where it is over or cannot be read.")
]


def _place(broker: "BrokerSettings") -> "Place":
    from service.cli.parked.browsing import Place
    from service.cli.parked.view import requests_table
    from service.core.parked import parked_request
    from service.core.topology import Topology

    return Place(broker, Topology(broker.prefix).dead, parked_request, requests_table)


dead = parking_app("requests that ended in an error, and poison", _place)


@dead.command()
def replay(  # noqa: PLR0913 - one parameter for each option
    *,
    codes: Codes = None,
    older_than: OlderThan = None,
    newer_than: NewerThan = None,
    request_ids: RequestIds = None,
    everything: Everything = False,
    force: _Force = False,
    drop_deadline: _DropDeadline = False,
    limit: Limit = None,
    rate: Rate = 10.0,
    dry_run: DryRun = False,
    broker_url: BrokerUrl = None,
    prefix: Prefix = None,
) -> None:
    """
    Put requests into the queue of requests again, as their producers sent them.

    Each is taken away here once the broker has confirmed it there. Those that may have been paid for stay, unless
    --force is given; those that have a task id stay in any case.
    """
    from service.adapters.system import new_id
    from service.cli.parked.replaying import Pace, replay_parked
    from service.core.replay import Terms, replay_of_request
    from service.core.topology import Topology

    selection = selection_of(codes, request_ids, older_than, newer_than)
    refuse_everything_by_accident(selection, everything=everything)
    place = place_or_exit(_place, broker_url, prefix)
    topology = Topology(place.broker.prefix)

    def make(delivery: "Delivery", parked: "Parked", now: datetime) -> "Outgoing | Left":
        return replay_of_request(delivery, parked, Terms(force, drop_deadline), topology, now, new_id)

    replay_parked(place, selection, make, Pace(rate, limit, dry_run), target=topology.requests)
