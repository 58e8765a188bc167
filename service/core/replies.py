"""Where results and copies go, and with which properties (spec sections 2 and 4)."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from service.core.completion import COMPLETION_TYPE, Completion
from service.core.deadline import DEADLINE_HEADER, deadline_of
from service.core.delivery import Delivery, Identity
from service.core.history import (
    ATTEMPTS,
    FIRST_SEEN,
    MADE_UP_ID,
    MOVE,
    History,
    history_headers,
    history_of,
    without_history,
)
from service.core.instant import rfc3339
from service.core.outcome import Outcome, Submitted
from service.core.outgoing import Outgoing, Route
from service.core.parked import ERROR_CODE, ERROR_MESSAGE, ORIGINAL_REPLY_TO, REPLY_TO, REQUEST_ID, TASK_ID
from service.core.pending_task import PendingTask
from service.core.result import CONTENT_TYPE, RESULT_TYPE, ErrorCode, FailedResult, Result
from service.core.topology import RetryTier, Topology
from service.core.trace import trace_headers

# Header values travel in frames with everything else; a long upstream message must not fill them.
_HEADER_LIMIT = 1000
# The broker would send further copies to the queues that are named there.
_FURTHER_ROUTES = frozenset({"CC", "BCC"})
# What a copy in the dead-letter queue says of its request; a producer's own would mislead a replay.
_TOLD_OF_THE_DEAD = frozenset({ERROR_CODE, ERROR_MESSAGE, REQUEST_ID, REPLY_TO, TASK_ID})
# The broker drops a message as a cycle that its own record says was in a queue before.
_DEATHS = ("x-death", "x-first-death-", "x-last-death-")


def reply_message(
    result: Result, delivery: Delivery, identity: Identity, topology: Topology, now: datetime
) -> Outgoing:
    """Address a result to its producer, or to the default results queue where no `reply_to` was given."""
    route = Route("", delivery.reply_to) if delivery.reply_to else _results_route(result, topology)
    return Outgoing(
        route=route,
        body=result.model_dump_json().encode(),
        content_type=CONTENT_TYPE,
        correlation_id=identity.correlation_id,
        timestamp=now,
        type=RESULT_TYPE,
        headers=trace_headers(delivery.headers),
    )


def _results_route(result: Result, topology: Topology) -> Route:
    return Route(topology.exchange, f"result.{result.status}")


def completion_message(completion: Completion, task: PendingTask, topology: Topology, now: datetime) -> Outgoing:
    """Address a completion to the producer of its request, or to the exchange where no `reply_to` was given."""
    return Outgoing(
        route=Route("", task.reply_to)
        if task.reply_to
        else Route(topology.exchange, f"completion.{completion.status}"),
        body=completion.model_dump_json().encode(),
        content_type=CONTENT_TYPE,
        correlation_id=task.correlation_id,
        timestamp=now,
        type=COMPLETION_TYPE,
        headers=dict(task.trace),
    )


def moved_message(
    delivery: Delivery,
    identity: Identity,
    tier: RetryTier | None,
    history: History,
    topology: Topology,
    now: datetime,
    move: str,
) -> Outgoing:
    """Publish a request anew as it was, to the wait queue of `tier` or to its own queue, with its history.

    `move` names this move alone: by it the message that lives can be told from the one that it was.

    The producer's expiration becomes a deadline in a header: the broker would take the message out of a wait queue by
    it, or let it expire in its own queue without a reply.
    """
    headers = _carried(delivery.headers) | dict(history_headers(history)) | {MOVE: move}
    if identity.made_up:
        headers[MADE_UP_ID] = True
    deadline = deadline_of(delivery)
    if deadline is None and delivery.expiration is not None:
        # Without a timestamp nobody knows since when; from here on is the latest that it can mean.
        deadline = deadline_of(replace(delivery, timestamp=now))
    if isinstance(deadline, datetime):
        headers[DEADLINE_HEADER] = deadline.isoformat()
    return Outgoing(
        route=Route("", topology.requests if tier is None else topology.retry_queue(tier)),
        body=delivery.body,
        content_type=delivery.content_type,
        content_encoding=delivery.content_encoding,
        correlation_id=delivery.correlation_id,
        timestamp=delivery.timestamp,
        type=delivery.type,
        headers=headers,
        message_id=identity.request_id,
        reply_to=delivery.reply_to,
        app_id=delivery.app_id,
        priority=delivery.priority,
    )


def _carried(headers: Mapping[str, object]) -> dict[str, object]:
    """Copy what the producer wrote, without what would lead this publish astray."""
    return {
        name: value
        for name, value in without_history(headers).items()
        if name not in _FURTHER_ROUTES and not name.startswith(_DEATHS)
    }


def undelivered_message(reply: Outgoing, topology: Topology) -> Outgoing:
    """Address a reply that the broker returned to the queue where an operator finds it."""
    headers = {**(reply.headers or {}), ORIGINAL_REPLY_TO: reply.route.routing_key}
    return replace(reply, route=Route("", topology.undelivered), headers=headers)


def dead_message(
    result: FailedResult, delivery: Delivery, identity: Identity, topology: Topology, now: datetime
) -> Outgoing:
    """Copy a request that ended in an error, with the error in its headers.

    The body is kept byte for byte. `reply_to` and `message_id` travel as headers, so that a replay can restore
    them; as properties they would be mistaken for those of this publish.
    """
    headers: dict[str, object] = {
        **{name: value for name, value in _carried(delivery.headers).items() if name not in _TOLD_OF_THE_DEAD},
        ERROR_CODE: str(result.error.code),
        ERROR_MESSAGE: result.error.message[:_HEADER_LIMIT],
        ATTEMPTS: result.attempts,
        FIRST_SEEN: rfc3339(history_of(delivery, now).first_seen),
        REQUEST_ID: identity.request_id,
    }
    if delivery.reply_to:
        headers[REPLY_TO] = delivery.reply_to
    return Outgoing(
        route=Route("", topology.dead),
        body=delivery.body,
        content_type=delivery.content_type,
        content_encoding=delivery.content_encoding,
        correlation_id=delivery.correlation_id,
        timestamp=delivery.timestamp or now,
        headers=headers,
    )


def defect_message(
    outcome: Outcome, delivery: Delivery, identity: Identity, topology: Topology, now: datetime
) -> Outgoing:
    """Copy a request whose settlement failed on a defect, with plain headers alone: what failed may be any of its own.

    A task that was paid for is named in `x-task-id`.
    """
    headers: dict[str, object] = {
        ERROR_CODE: str(ErrorCode.INTERNAL),
        ERROR_MESSAGE: "The worker failed to settle this request. Look for its request_id in the log.",
        FIRST_SEEN: rfc3339(history_of(delivery, now).first_seen),
        REQUEST_ID: identity.request_id,
    }
    if isinstance(outcome, Submitted):
        headers[TASK_ID] = outcome.record.task_id
    return Outgoing(
        route=Route("", topology.dead),
        body=delivery.body,
        content_type=None,
        correlation_id=None,
        timestamp=now,
        headers=headers,
    )
