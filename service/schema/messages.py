"""The messages of the AsyncAPI document: body, properties and headers, and examples."""

from service.core.catalogue import Catalogue
from service.core.completion import COMPLETION_TYPE
from service.core.deadline import DEADLINE_HEADER
from service.core.outgoing import APP_ID
from service.core.parked import ERROR_CODE, ERROR_MESSAGE, ORIGINAL_REPLY_TO, REQUEST_ID
from service.core.result import CONTENT_TYPE, RESULT_TYPE
from service.schema.completion import completion_examples
from service.schema.model_schema import Schema
from service.schema.properties import (
    completion_properties,
    dead_properties,
    request_properties,
    result_properties,
    undelivered_properties,
)
from service.schema.request import request_example
from service.schema.result import failed_example, submitted_example

_CORRELATION = {
    "description": "Pairs a result with its request.",
    "location": "$message.header#/correlation_id",
}


def messages(catalogue: Catalogue) -> dict[str, Schema]:
    """Build every message by its name under `components.messages`."""
    submitted = submitted_example(catalogue.models[0].name)
    failed = failed_example()
    return {
        "request": _request(catalogue, submitted["request_id"]),
        "submitted": {
            **_result("Submitted", "The endpoint accepted the request: the result has its task id.", "SubmittedResult"),
            "examples": [_example("submitted", submitted, _result_values(submitted))],
        },
        "failed": {
            **_result("Failed", "The request ended in an error that says what to do.", "FailedResult"),
            "examples": [_example("invalid", failed, _result_values(failed))],
        },
        **_completions(catalogue.models[0].name),
        "dead": _dead(catalogue, failed),
        "undelivered": {
            "title": "Undelivered",
            "summary": "A result or a completion as it was, and the queue that did not take it.",
            "contentType": CONTENT_TYPE,
            "correlationId": _CORRELATION,
            "headers": undelivered_properties(),
            "payload": {"anyOf": [{"$ref": f"#/components/schemas/{name}"} for name in ("Result", "Completion")]},
            "examples": [_example("lost", submitted, {**_result_values(submitted), ORIGINAL_REPLY_TO: "replies"})],
        },
    }


def _request(catalogue: Catalogue, request_id: str) -> Schema:
    values = {"message_id": request_id, "reply_to": "replies", DEADLINE_HEADER: "2026-01-31T12:00:00Z"}
    return {
        "title": "Request",
        "summary": "One wanted video.",
        "contentType": CONTENT_TYPE,
        "correlationId": _CORRELATION,
        "headers": request_properties(),
        "payload": {"$ref": "#/components/schemas/Request"},
        "examples": [_example("lighthouse", request_example(catalogue), values)],
    }


def _result(title: str, summary: str, schema: str) -> Schema:
    return {
        "title": title,
        "summary": summary,
        "contentType": CONTENT_TYPE,
        "correlationId": _CORRELATION,
        "headers": result_properties(),
        "payload": {"$ref": f"#/components/schemas/{schema}"},
        "bindings": {"amqp": {"messageType": RESULT_TYPE, "bindingVersion": "0.3.0"}},
    }


def _completions(model: str) -> dict[str, Schema]:
    """Build the three messages that tell how a task ended."""
    told = {
        "succeeded": ("taskSucceeded", "Task succeeded", "The video is there: the completion has its addresses."),
        "failed": ("taskFailed", "Task failed", "The endpoint could not make the video, and says why."),
        "lost": ("taskLost", "Task lost", "Nobody knows how the task ended: it is followed no longer."),
    }
    built = {}
    for status, body in completion_examples(model).items():
        name, title, summary = told[status]
        built[name] = {
            "title": title,
            "summary": summary,
            "description": "Published only where VIDEOGEN_TRACKING__ENABLED is set.",
            "contentType": CONTENT_TYPE,
            "correlationId": _CORRELATION,
            "headers": completion_properties(),
            "payload": {"$ref": f"#/components/schemas/{status.title()}Completion"},
            "bindings": {"amqp": {"messageType": COMPLETION_TYPE, "bindingVersion": "0.3.0"}},
            "examples": [_example(status, body, _values(body, COMPLETION_TYPE, body["completed_at"]))],
        }
    return built


def _dead(catalogue: Catalogue, failed: Schema) -> Schema:
    error = failed["error"]
    told = {ERROR_CODE: error["code"], ERROR_MESSAGE: error["message"], REQUEST_ID: failed["request_id"]}
    return {
        "title": "Failed request",
        "summary": "A copy of a request that ended in an error, byte for byte, with the error in its headers.",
        "description": "The broker itself moves poison and expired requests here, with `x-death` and none of these.",
        "headers": dead_properties(),
        # Whatever the producer sent, wrong as it may be.
        "payload": {},
        "examples": [_example("wrong seed", {**request_example(catalogue), "seed": -1}, told)],
    }


def _result_values(result: Schema) -> Schema:
    return _values(result, RESULT_TYPE, result.get("submitted_at") or result["failed_at"])


def _values(body: Schema, kind: str, timestamp: str) -> Schema:
    return {
        "message_id": "9a1d7a52-55a4-44c4-8f0c-2f4c7c0a7e64",
        "correlation_id": body["request_id"],
        "content_type": CONTENT_TYPE,
        "delivery_mode": 2,
        "type": kind,
        "app_id": APP_ID,
        "timestamp": timestamp,
    }


def _example(name: str, payload: Schema, headers: Schema) -> Schema:
    return {"name": name, "headers": headers, "payload": payload}
