from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from jsonschema import Draft7Validator

from service.core.catalogue import Catalogue, Model
from service.core.topology import Topology
from service.schema import Schema, asyncapi_document

CATALOGUE = Catalogue(models=(Model(name="talkie", sizes=((832, 480),), durations=(5,), prompt_limit=9),))
TOPOLOGY = Topology("mine", dead_ttl=timedelta(hours=1))
TRACKING = replace(TOPOLOGY, tracking=True)
DOCUMENT = asyncapi_document(TOPOLOGY, CATALOGUE, "1.2.3")
CHANNELS = DOCUMENT["channels"]
MESSAGES = DOCUMENT["components"]["messages"]


def references(node: object) -> Iterator[str]:
    match node:
        case {"$ref": str(reference)}:
            yield reference
        case dict():
            for value in node.values():
                yield from references(value)
        case list():
            for value in node:
                yield from references(value)
        case _:
            return


def found(reference: str) -> object:
    place: object = DOCUMENT
    for step in reference.removeprefix("#/").split("/"):
        assert isinstance(place, dict), reference
        place = place[step]
    return place


def validator(schema: Schema) -> Draft7Validator:
    """Validate as AsyncAPI does: by draft 7, with what the schema refers to beside it."""
    return Draft7Validator({"allOf": [schema], "components": DOCUMENT["components"]})


def test_every_reference_leads_somewhere() -> None:
    assert all(found(reference) is not None for reference in references(DOCUMENT))


@pytest.mark.parametrize("name", sorted(MESSAGES))
def test_the_examples_of_each_message_are_right(name: str) -> None:
    message = MESSAGES[name]

    for example in message["examples"]:
        validator(message["payload"]).validate(example["payload"])
        validator(message["headers"]).validate(example["headers"])
        assert set(example["headers"]) <= set(message["headers"]["properties"])


@pytest.mark.parametrize("schema", sorted(DOCUMENT["components"]["schemas"]))
def test_each_schema_is_one_of_draft_7_too(schema: str) -> None:
    Draft7Validator.check_schema(DOCUMENT["components"]["schemas"][schema])


def test_a_rule_of_the_catalogue_holds_in_the_document_too() -> None:
    request = validator({"$ref": "#/components/schemas/Request"})

    assert request.is_valid({"model": "talkie", "prompt": "a cat", "size": "832x480"})
    assert not request.is_valid({"model": "talkie", "prompt": "a cat", "size": "480x832"})


def test_the_queues_are_those_that_the_worker_declares() -> None:
    queues = {
        channel["address"]: channel["x-queue-arguments"]
        for channel in CHANNELS.values()
        if channel.get("bindings", {}).get("amqp", {}).get("is") == "queue"
    }

    declared = {queue.name: dict(queue.arguments) for queue in TRACKING.queues}
    assert queues == declared
    assert queues["mine.dead"]["x-message-ttl"] == 3_600_000


def test_the_keys_are_those_of_the_exchange() -> None:
    keys = {
        channel["address"]: channel["bindings"]["amqp"]["exchange"]["name"]
        for channel in CHANNELS.values()
        if channel.get("bindings", {}).get("amqp", {}).get("is") == "routingKey"
    }

    results = ("result.submitted", "result.failed")
    completions = ("completion.succeeded", "completion.failed", "completion.lost")
    assert keys == dict.fromkeys(("request", *results, *completions), "mine")


def test_completions_are_marked_as_what_has_to_be_wanted() -> None:
    opted = "VIDEOGEN_TRACKING__ENABLED"
    operations = [each for name, each in DOCUMENT["operations"].items() if "Task" in name or "Completion" in name]

    assert len(operations) == 5
    assert all(opted in each["summary"] for each in operations)
    assert all(opted in MESSAGES[name]["description"] for name in ("taskSucceeded", "taskFailed", "taskLost"))
    assert asyncapi_document(TRACKING, CATALOGUE, "1.2.3") == DOCUMENT


def test_every_name_takes_the_prefix() -> None:
    text = str({key: DOCUMENT[key] for key in ("channels", "operations")})

    assert "mine.requests" in text
    assert "videogen" not in text


def test_requests_are_answered_at_the_queue_that_they_name() -> None:
    reply = DOCUMENT["operations"]["receiveRequest"]["reply"]

    assert reply["address"] == {"location": "$message.header#/reply_to"}
    assert reply["channel"] == {"$ref": "#/channels/replyQueue"}
    assert CHANNELS["replyQueue"]["address"] is None
    assert "reply_to" in MESSAGES["request"]["headers"]["properties"]


def test_a_certificate_is_for_tls_alone() -> None:
    ways = {
        name: [each["$ref"].rpartition("/")[2] for each in server["security"]]
        for name, server in DOCUMENT["servers"].items()
    }

    assert ways == {"amqp": ["userPassword"], "amqps": ["userPassword", "clientCertificate"]}


def test_the_release_is_named() -> None:
    assert DOCUMENT["info"]["version"] == "1.2.3"
    assert DOCUMENT["asyncapi"] == "3.0.0"
