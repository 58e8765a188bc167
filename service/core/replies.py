"""Where results and copies go, and with which properties (spec sections 2 and 4)."""

from dataclasses import replace
from datetime import datetime

from service.core.delivery import Delivery, Identity
from service.core.instant import rfc3339
from service.core.outcome import Outcome, Submitted
from service.core.outgoing import Outgoing, Route
from service.core.result import RESULT_TYPE, ErrorCode, FailedResult, Result
from service.core.topology import Topology
from service.core.trace import trace_headers

_JSON = "application/json"
# Header values travel in frames with everything else; a long upstream message must not fill them.
_HEADER_LIMIT = 1000


def reply_message(
    result: Result, delivery: Delivery, identity: Identity, topology: Topology, now: datetime
) -> Outgoing:
    """Address a result to its producer, or to the default results queue where no `reply_to` was given."""
    route = Route("", delivery.reply_to) if delivery.reply_to else _results_route(result, topology)
    return Outgoing(
        route=route,
        body=result.model_dump_json().encode(),
        content_type=_JSON,
        correlation_id=identity.correlation_id,
        timestamp=now,
        type=RESULT_TYPE,
        headers=trace_headers(delivery.headers),
    )


def _results_route(result: Result, topology: Topology) -> Route:
    return Route(topology.exchange, f"result.{result.status}")


def undelivered_message(reply: Outgoing, topology: Topology) -> Outgoing:
    """Address a reply that the broker returned to the queue where an operator finds it."""
    headers = {**(reply.headers or {}), "x-original-reply-to": reply.route.routing_key}
    return replace(reply, route=Route("", topology.undelivered), headers=headers)


def dead_message(
    result: FailedResult, delivery: Delivery, identity: Identity, topology: Topology, now: datetime
) -> Outgoing:
    """Copy a request that ended in an error, with the error in its headers.

    The body is kept byte for byte. `reply_to` and `message_id` travel as headers, so that a replay can restore
    them; as properties they would be mistaken for those of this publish.
    """
    headers: dict[str, object] = {
        **delivery.headers,
        "x-error-code": str(result.error.code),
        "x-error-message": result.error.message[:_HEADER_LIMIT],
        "x-attempts": result.attempts,
        "x-first-seen": _first_seen(delivery, now),
        "x-request-id": identity.request_id,
    }
    if delivery.reply_to:
        headers["x-reply-to"] = delivery.reply_to
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
        "x-error-code": str(ErrorCode.INTERNAL),
        "x-error-message": "The worker failed to settle this request. Look for its request_id in the log.",
        "x-first-seen": rfc3339(now),
        "x-request-id": identity.request_id,
    }
    if isinstance(outcome, Submitted):
        headers["x-task-id"] = outcome.task_id
    return Outgoing(
        route=Route("", topology.dead),
        body=delivery.body,
        content_type=None,
        correlation_id=None,
        timestamp=now,
        headers=headers,
    )


def _first_seen(delivery: Delivery, now: datetime) -> str:
    # From its header, where an earlier worker saw it before.
    seen = delivery.headers.get("x-first-seen")
    return seen if isinstance(seen, str) else rfc3339(now)
