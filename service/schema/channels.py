"""The channels and operations of the AsyncAPI document, from the topology."""

from dataclasses import replace

from service.core.topology import QueueSpec, Topology
from service.schema.model_schema import Schema

_VERSION = {"bindingVersion": "0.3.0"}
_RESULTS = ("submitted", "failed")
_COMPLETIONS = ("taskSucceeded", "taskFailed", "taskLost")
_OPT_IN = "Only where VIDEOGEN_TRACKING__ENABLED is set."


def channels(topology: Topology) -> dict[str, Schema]:
    """Build every channel by its name, those of completions included."""
    topology = replace(topology, tracking=True)
    queues = {queue.name: queue for queue in topology.queues}
    return {
        "requestQueue": _queue(
            queues[topology.requests],
            "The queue of requests",
            "Publish here by way of the default exchange, with this name as the routing key.",
            ("request",),
        ),
        "requestKey": _key(topology, "request", "The routing key of requests", ("request",)),
        "replyQueue": {
            "address": None,
            "title": "The queue that `reply_to` names",
            "description": (
                "Any queue of the producer, or direct reply-to. Results go there by the default exchange, and "
                "completions where VIDEOGEN_TRACKING__ENABLED is set."
            ),
            "messages": _references((*_RESULTS, *_COMPLETIONS)),
        },
        "submittedKey": _key(topology, "result.submitted", "The routing key of accepted requests", ("submitted",)),
        "failedKey": _key(topology, "result.failed", "The routing key of failed requests", ("failed",)),
        "resultQueue": _queue(
            queues[topology.results],
            "The default home of results",
            f"Bound to the exchange `{topology.exchange}` for every result without a `reply_to`.",
            _RESULTS,
        ),
        **{
            f"{name}Key": _key(topology, f"completion.{status}", f"The routing key of tasks that {how}", (name,))
            for name, status, how in (
                ("taskSucceeded", "succeeded", "succeeded"),
                ("taskFailed", "failed", "failed"),
                ("taskLost", "lost", "were lost"),
            )
        },
        "completionQueue": _queue(
            queues[topology.completions],
            "The default home of completions",
            f"Bound to the exchange `{topology.exchange}` for every completion without a `reply_to`. {_OPT_IN}",
            _COMPLETIONS,
        ),
        "deadQueue": _queue(
            queues[topology.dead],
            "Failed requests",
            "Kept for the operator, for a time. Consume nothing here.",
            ("dead",),
        ),
        "undeliveredQueue": _queue(
            queues[topology.undelivered],
            "Results whose queue is gone",
            "Kept until an operator replays or discards them. Consume nothing here.",
            ("undelivered",),
        ),
    }


def operations() -> dict[str, Schema]:
    """Build what the worker does on these channels."""
    return {
        "receiveRequest": _receive("requestQueue", "Takes a request from its queue and answers it once."),
        "receiveRequestByKey": _receive("requestKey", "The same for a request that was published to the exchange."),
        "sendSubmitted": _send("submittedKey", "Tells an accepted request without a `reply_to`.", ("submitted",)),
        "sendFailed": _send("failedKey", "Tells a failed request without a `reply_to`.", ("failed",)),
        "sendResult": _send("resultQueue", "What these two keys lead to, for a consumer of the queue.", _RESULTS),
        "sendTaskSucceeded": _send(
            "taskSucceededKey", f"Tells the addresses of a video. {_OPT_IN}", ("taskSucceeded",)
        ),
        "sendTaskFailed": _send("taskFailedKey", f"Tells why there is no video. {_OPT_IN}", ("taskFailed",)),
        "sendTaskLost": _send("taskLostKey", f"Tells that a task is followed no longer. {_OPT_IN}", ("taskLost",)),
        "sendCompletion": _send(
            "completionQueue", f"What these three keys lead to, for a consumer of the queue. {_OPT_IN}", _COMPLETIONS
        ),
        "sendCompletionReply": _send(
            "replyQueue", f"Tells how a task ended to the queue that its request named. {_OPT_IN}", _COMPLETIONS
        ),
        "sendDead": _send("deadQueue", "Keeps a copy of each failed request.", ("dead",)),
        "sendUndelivered": _send("undeliveredQueue", "Keeps a result that could not be delivered.", ("undelivered",)),
    }


def _queue(queue: QueueSpec, title: str, description: str, messages: tuple[str, ...]) -> Schema:
    declared = {"name": queue.name, "durable": True, "exclusive": False, "autoDelete": False}
    return {
        "address": queue.name,
        "title": title,
        "description": description,
        "messages": _references(messages),
        "bindings": {"amqp": {"is": "queue", "queue": declared, **_VERSION}},
        # The binding has no place for them; a declaration with others fails.
        "x-queue-arguments": dict(queue.arguments),
    }


def _key(topology: Topology, key: str, title: str, messages: tuple[str, ...]) -> Schema:
    exchange = {"name": topology.exchange, "type": "topic", "durable": True, "autoDelete": False}
    return {
        "address": key,
        "title": title,
        "description": f"Of the exchange `{topology.exchange}`.",
        "messages": _references(messages),
        "bindings": {"amqp": {"is": "routingKey", "exchange": exchange, **_VERSION}},
    }


def _receive(channel: str, summary: str) -> Schema:
    return {
        "action": "receive",
        "channel": {"$ref": f"#/channels/{channel}"},
        "summary": summary,
        "messages": _of_channel(channel, ("request",)),
        "bindings": {"amqp": {"ack": True, **_VERSION}},
        "reply": {
            "address": {"location": "$message.header#/reply_to"},
            "channel": {"$ref": "#/channels/replyQueue"},
            "messages": _of_channel("replyQueue", _RESULTS),
        },
    }


def _send(channel: str, summary: str, messages: tuple[str, ...]) -> Schema:
    return {
        "action": "send",
        "channel": {"$ref": f"#/channels/{channel}"},
        "summary": summary,
        "messages": _of_channel(channel, messages),
        "bindings": {"amqp": {"deliveryMode": 2, "mandatory": True, "timestamp": True, **_VERSION}},
    }


def _references(messages: tuple[str, ...]) -> Schema:
    return {name: {"$ref": f"#/components/messages/{name}"} for name in messages}


def _of_channel(channel: str, messages: tuple[str, ...]) -> list[Schema]:
    return [{"$ref": f"#/channels/{channel}/messages/{name}"} for name in messages]
