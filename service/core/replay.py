"""What a replay of a parked message publishes, or why the message stays where it is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from service.core.completion import CompletionStatus
from service.core.contract import FieldProblem
from service.core.deadline import DEADLINE_HEADER, deadline_of
from service.core.delivery import Delivery
from service.core.history import DOUBT, REPLAY, REPLAYED_AT, without_history
from service.core.outgoing import Outgoing, Route
from service.core.parked import (
    ERROR_CODE,
    ERROR_MESSAGE,
    ORIGINAL_REPLY_TO,
    REPLY_TO,
    REQUEST_ID,
    TASK_ID,
    Parked,
    is_from_worker,
)
from service.core.result import ErrorCode
from service.core.topology import Topology

_NOT_PAID = frozenset(str(code) for code in ErrorCode) - {ErrorCode.UNCERTAIN, ErrorCode.INTERNAL}
_DIRECT_REPLY_TO = "amq.rabbitmq.reply-to"
_KEYS_OF_THE_EXCHANGE = (
    "result.submitted",
    "result.failed",
    *(f"completion.{status}" for status in CompletionStatus),
)
_WRITTEN_ON_THE_WAY = frozenset(
    {
        ERROR_CODE,
        ERROR_MESSAGE,
        REQUEST_ID,
        REPLY_TO,
        TASK_ID,
        ORIGINAL_REPLY_TO,
        "x-headers-dropped",
        # The broker would send copies to the queues that are named there.
        "CC",
        "BCC",
    }
)
_WRITTEN_BY_DEAD_LETTERING = ("x-death", "x-first-death-", "x-last-death-")


class Left(StrEnum):
    """Why a message is not replayed."""

    PAID = "paid"
    MAYBE_PAID = "maybe_paid"
    DEADLINE_OVER = "deadline_over"
    DIRECT_REPLY = "direct_reply"
    NO_ADDRESS = "no_address"


@dataclass(frozen=True, slots=True)
class Terms:
    """What the operator allows. `force`: one further call where an earlier one may have been paid for."""

    force: bool = False
    drop_deadline: bool = False


def replay_of_request(
    delivery: Delivery, parked: Parked, terms: Terms, topology: Topology, now: datetime, new_id: Callable[[], str]
) -> Outgoing | Left:
    """Restore a request as its producer published it, without what happened to it since.

    A message that the broker moved needs no force: a replay of it is one more redelivery, which the ledger judges. A
    forced replay is named by the `message_id` of the parked copy. So one that is cut between confirm and ack, and done
    again, still allows one call and not two.
    """
    if parked.task_id is not None:
        return Left.PAID
    maybe_paid = _may_have_been_paid(delivery, parked)
    if maybe_paid and not terms.force:
        return Left.MAYBE_PAID
    # A worker that settled the original must not take its replay for a copy of the broker's making.
    headers = _original_headers(delivery.headers) | {REPLAYED_AT: now.isoformat()}
    deadline = _deadline(delivery)
    if terms.drop_deadline and not (isinstance(deadline, datetime) and deadline > now):
        headers.pop(DEADLINE_HEADER, None)
    elif isinstance(deadline, datetime) and deadline <= now:
        return Left.DEADLINE_OVER
    if maybe_paid:
        headers[REPLAY] = delivery.message_id or new_id()
    return _restored(delivery, parked, headers, topology, now)


def replay_of_result(
    delivery: Delivery, parked: Parked, to: str | None, topology: Topology, now: datetime
) -> Outgoing | Left:
    """Address a result to the queue that did not take it, or to the queue `to`."""
    route = _result_route(to or parked.reply_to, topology)
    if isinstance(route, Left):
        return route
    return Outgoing(
        route=route,
        body=delivery.body,
        content_type=delivery.content_type,
        content_encoding=delivery.content_encoding,
        correlation_id=delivery.correlation_id,
        timestamp=now,
        type=delivery.type,
        headers=_original_headers(delivery.headers),
        app_id=delivery.app_id,
    )


def _restored(
    delivery: Delivery, parked: Parked, headers: Mapping[str, object], topology: Topology, now: datetime
) -> Outgoing:
    from_worker = is_from_worker(delivery)
    # The broker refuses this name from a channel that awaits no direct reply, and closes the channel.
    reply_to = parked.reply_to if parked.reply_to != _DIRECT_REPLY_TO else None
    return Outgoing(
        route=Route("", topology.requests),
        body=delivery.body,
        content_type=delivery.content_type,
        content_encoding=delivery.content_encoding,
        correlation_id=delivery.correlation_id,
        timestamp=delivery.timestamp or now,
        type=delivery.type,
        headers=headers,
        message_id=_request_id(delivery, parked),
        reply_to=reply_to,
        # A dead copy names the worker that wrote it, not the producer.
        app_id=None if from_worker else delivery.app_id,
        priority=delivery.priority,
    )


def _request_id(delivery: Delivery, parked: Parked) -> str | None:
    carried = REQUEST_ID in delivery.headers if is_from_worker(delivery) else delivery.message_id is not None
    return parked.id if carried else None


def _may_have_been_paid(delivery: Delivery, parked: Parked) -> bool:
    return delivery.headers.get(DOUBT) is True or not (parked.by_broker or parked.code in _NOT_PAID)


def _deadline(delivery: Delivery) -> datetime | FieldProblem | None:
    # An expiration does not outlast the parking: it would end the message in the queue of dead ones.
    return deadline_of(replace(delivery, expiration=None))


def _result_route(address: str | None, topology: Topology) -> Route | Left:
    if address is None:
        return Left.NO_ADDRESS
    if address == _DIRECT_REPLY_TO or address.startswith(f"{_DIRECT_REPLY_TO}."):
        return Left.DIRECT_REPLY
    return Route(topology.exchange if address in _KEYS_OF_THE_EXCHANGE else "", address)


def _original_headers(headers: Mapping[str, object]) -> dict[str, object]:
    return {
        name: value
        for name, value in without_history(headers).items()
        if name not in _WRITTEN_ON_THE_WAY and not name.startswith(_WRITTEN_BY_DEAD_LETTERING)
    }
