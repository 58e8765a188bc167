"""Declares the topology, or checks that it is there; explains what is in the way."""

import re

from aio_pika.abc import AbstractChannel, ExchangeType
from aio_pika.exceptions import ChannelNotFoundEntity, ChannelPreconditionFailed

from service.adapters.rabbitmq.errors import MissingObjectError, TopologyError
from service.core.topology import Topology

# RabbitMQ: PRECONDITION_FAILED - inequivalent arg 'x-message-ttl' for queue 'q' in vhost '/':
#           received the value '10' of type 'signedint' but current is none
_INEQUIVALENT = re.compile(
    r"inequivalent arg '(?P<argument>[^']+)' for (?P<kind>\w+) '(?P<name>[^']+)' in vhost '(?P<vhost>[^']*)': "
    r"received (?P<wanted>.+) but current is (?P<current>.+)$"
)
_VALUE = re.compile(r"(?:the value )?'(?P<value>[^']*)'")


async def declare(channel: AbstractChannel, topology: Topology) -> None:
    """Declare every object; an object that is there already with the same arguments is left as it is.

    Raises:
        TopologyError: an object exists with other arguments; names it, the argument and both values.
    """
    try:
        exchange = await channel.declare_exchange(topology.exchange, ExchangeType.TOPIC, durable=True)
        queues = {
            spec.name: await channel.declare_queue(spec.name, durable=True, arguments=dict(spec.arguments))
            for spec in topology.queues
        }
    except ChannelPreconditionFailed as error:
        raise TopologyError(explain_mismatch(str(error))) from error
    for binding in topology.bindings:
        await queues[binding.queue].bind(exchange, binding.routing_key)


async def check(channel: AbstractChannel, topology: Topology) -> None:
    """Check passively that every exchange and queue is there. Arguments cannot be read over AMQP.

    Raises:
        MissingObjectError: an object is missing; names it.
    """
    name = topology.exchange
    try:
        await channel.declare_exchange(name, passive=True)
        for spec in topology.queues:
            name = spec.name
            await channel.declare_queue(name, passive=True)
    except ChannelNotFoundEntity as error:
        raise MissingObjectError(
            f"{name!r} does not exist at the broker and VIDEOGEN_BROKER__DECLARE is false. "
            "Create it, or set VIDEOGEN_BROKER__DECLARE=true to let the worker declare it."
        ) from error


async def remove(channel: AbstractChannel, topology: Topology) -> None:
    """Delete every object with all its messages. For demos and tests, never for a worker."""
    for spec in topology.queues:
        await channel.queue_delete(spec.name)
    await channel.exchange_delete(topology.exchange)


def explain_mismatch(text: str) -> str:
    """Turn the broker's PRECONDITION_FAILED text into a sentence that names object, argument and both values."""
    found = _INEQUIVALENT.search(text)
    if found is None:
        return f"The broker refused a declaration: {text}"
    kind, name, argument = found["kind"], found["name"], found["argument"]
    return (
        f"The {kind} {name!r} in virtual host {found['vhost']!r} exists with {argument} = {_value(found['current'])}, "
        f"but the worker needs {argument} = {_value(found['wanted'])}. "
        f"Delete the {kind} once it is empty, or change the setting that {argument} comes from, "
        "or choose another VIDEOGEN_BROKER__PREFIX."
    )


def _value(text: str) -> str:
    found = _VALUE.match(text.strip())
    return repr(found["value"]) if found else text.strip().rstrip(".")
