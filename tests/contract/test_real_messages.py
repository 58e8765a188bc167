"""What the documents say of messages, held against messages that went through the worker and a broker."""

import asyncio
import json
from importlib.resources import files
from uuid import uuid4

import aio_pika
from aio_pika.abc import AbstractIncomingMessage
from jsonschema import Draft7Validator

from service.core.catalogue import Catalogue
from service.core.facts import Settled
from service.core.topology import Topology
from service.schema import Schema, asyncapi_document
from tests.support.broker import Amqp
from tests.support.running import running_worker, settings_for, simulated_endpoint

CATALOGUE = Catalogue.model_validate_json((files("service") / "data/models.json").read_bytes(), strict=True)
PROPERTIES = (
    *("message_id", "correlation_id", "reply_to", "content_type", "delivery_mode", "type", "app_id"),
    *("content_encoding", "expiration"),
)
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def values_of(message: AbstractIncomingMessage) -> Schema:
    """Give properties and headers of a message as the document speaks of them, in one object."""
    properties = {name: getattr(message, name) for name in PROPERTIES if getattr(message, name) is not None}
    stamp = {} if message.timestamp is None else {"timestamp": message.timestamp.isoformat()}
    return {**properties, **stamp, **message.headers}


def assert_as_documented(document: Schema, name: str, message: AbstractIncomingMessage) -> None:
    parts = document["components"]
    described = parts["messages"][name]
    for schema, value in (
        (described["payload"], json.loads(message.body)),
        (described["headers"], values_of(message)),
    ):
        Draft7Validator({"allOf": [schema], "components": parts}).validate(value)


async def test_requests_go_and_results_come_as_the_document_says(broker_url: str, prefix: str, amqp: Amqp) -> None:
    document = asyncapi_document(Topology(prefix), CATALOGUE, "1")
    channels, (example,) = document["channels"], document["components"]["messages"]["request"]["examples"]
    key = channels["requestKey"]
    async with (
        simulated_endpoint() as simulator,
        running_worker(settings_for(broker_url, prefix, simulator.base_url)) as running,
    ):
        exchange = await amqp.channel.get_exchange(key["bindings"]["amqp"]["exchange"]["name"], ensure=False)
        headers: dict[str, str] = {"x-deadline": "2100-01-01T00:00:00Z", "traceparent": TRACEPARENT}
        good = aio_pika.Message(json.dumps(example["payload"]).encode(), message_id=str(uuid4()), headers={**headers})
        await exchange.publish(good, key["address"], mandatory=True)
        submitted = await amqp.receive(channels["resultQueue"]["address"])

        bad = aio_pika.Message(b'{"model": "sora"}', message_id=str(uuid4()), reply_to="nobody", headers={**headers})
        await amqp.publish(channels["requestQueue"]["address"], bad)
        undelivered = await amqp.receive(channels["undeliveredQueue"]["address"])
        dead = await amqp.receive(channels["deadQueue"]["address"])

        worse = aio_pika.Message(b'{"model": "sora"}', message_id=str(uuid4()), headers={**headers})
        await amqp.publish(channels["requestQueue"]["address"], worse)
        failed = await amqp.receive(channels["resultQueue"]["address"])
        async with asyncio.timeout(20):
            await running.facts.wait_for(Settled, 3)

    assert submitted.routing_key == channels["submittedKey"]["address"]
    assert failed.routing_key == channels["failedKey"]["address"]
    for name, message in {
        "submitted": submitted,
        "failed": failed,
        "undelivered": undelivered,
        "dead": dead,
    }.items():
        assert_as_documented(document, name, message)
    assert submitted.headers["traceparent"] == TRACEPARENT
    described = document["components"]["messages"]["dead"]["headers"]["properties"]
    assert {name for name in dead.headers if name.startswith("x-")} <= set(described) | {"x-deadline"}
    assert {name for name in described if name in dead.headers} >= {"x-error-code", "x-attempts", "x-reply-to"}
