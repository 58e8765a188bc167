"""`videogen-worker undelivered`: results whose reply queue is gone."""

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

_To = Annotated[
    str | None, typer.Option("--to", metavar="QUEUE", help="Send them to this queue. [default: where each should go]")
]


def _place(broker: "BrokerSettings") -> "Place":
    from service.cli.parked.browsing import Place
    from service.cli.parked.view import results_table
    from service.core.parked import parked_result
    from service.core.topology import Topology

    return Place(broker, Topology(broker.prefix).undelivered, parked_result, results_table)


undelivered = parking_app("results whose reply queue is gone", _place)


@undelivered.command()
def replay(  # noqa: PLR0913 - one parameter for each option
    *,
    codes: Codes = None,
    older_than: OlderThan = None,
    newer_than: NewerThan = None,
    request_ids: RequestIds = None,
    everything: Everything = False,
    to: _To = None,
    limit: Limit = None,
    rate: Rate = 10.0,
    dry_run: DryRun = False,
    broker_url: BrokerUrl = None,
    prefix: Prefix = None,
) -> None:
    """
    Send results again, each to the queue that did not take it, or all to one queue.

    Each is taken away here once the broker has confirmed it there.
    """
    from service.cli.parked.replaying import Pace, replay_parked
    from service.core.replay import replay_of_result
    from service.core.topology import Topology

    selection = selection_of(codes, request_ids, older_than, newer_than)
    refuse_everything_by_accident(selection, everything=everything)
    place = place_or_exit(_place, broker_url, prefix)
    topology = Topology(place.broker.prefix)

    def make(delivery: "Delivery", parked: "Parked", now: datetime) -> "Outgoing | Left":
        return replay_of_result(delivery, parked, to, topology, now)

    replay_parked(place, selection, make, Pace(rate, limit, dry_run), target=to)
