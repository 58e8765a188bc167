"""AMQP properties and headers of each message as JSON Schemas; `x-amqp` tells which of the two each one is."""

from collections.abc import Mapping

from service.core.completion import COMPLETION_TYPE
from service.core.deadline import DEADLINE_HEADER
from service.core.history import ATTEMPTS, FIRST_SEEN
from service.core.outgoing import APP_ID
from service.core.parked import ERROR_CODE, ERROR_MESSAGE, ORIGINAL_REPLY_TO, REPLY_TO, REQUEST_ID, TASK_ID
from service.core.result import CONTENT_TYPE, RESULT_TYPE, ErrorCode
from service.core.trace import TRACEPARENT, TRACESTATE
from service.schema.model_schema import Schema

_TEXT: Schema = {"type": "string"}
# A short string of AMQP 0-9-1 section 4.2.5.3 has 255 bytes, so never more characters.
_SHORT: Schema = {"type": "string", "maxLength": 255}
_INSTANT: Schema = {"type": "string", "format": "date-time"}


def request_properties() -> Schema:
    """Build the schema of what a producer sets on a request."""
    return _table(
        {
            "message_id": _property(
                _SHORT,
                "The request id, unique for each wanted video. Keep it when you send the same request again: a copy "
                "then gets the first one's answer and no second paid call. Without one, nothing protects the request.",
            ),
            "correlation_id": _property(_SHORT, "Echoed in the result; the request id where missing."),
            "reply_to": _property(
                _SHORT,
                "The queue for the result, also `amq.rabbitmq.reply-to`. Without one the result goes to the exchange.",
            ),
            "content_encoding": _property(
                {"enum": ["", "identity", "utf-8"]}, "Leave it out: compressed bodies are refused."
            ),
            "timestamp": _property(_INSTANT, f"With `expiration` a deadline, where there is no `{DEADLINE_HEADER}`."),
            "expiration": _property(
                {"type": "string", "pattern": "^[0-9]+$"},
                "Milliseconds from `timestamp`. A request whose expiration passes in the queue gets no result.",
            ),
            DEADLINE_HEADER: _header(
                _INSTANT, "No call starts after it, and the result is then `expired`. RFC 3339, or an AMQP timestamp."
            ),
            **_trace("Carried to the endpoint and to the result."),
        }
    )


def result_properties() -> Schema:
    """Build the schema of what the worker sets on a result."""
    return _answer_properties({"const": RESULT_TYPE})


def completion_properties() -> Schema:
    """Build the schema of what the worker sets on a completion."""
    return _answer_properties({"const": COMPLETION_TYPE})


def _answer_properties(kind: Schema) -> Schema:
    properties = {
        "message_id": _property(_SHORT, "The message's own, new for every publish."),
        "correlation_id": _property(_SHORT, "That of the request, or its request id."),
        "content_type": _property({"const": CONTENT_TYPE}, "The body is JSON in UTF-8."),
        "delivery_mode": _property({"const": 2}, "Persistent."),
        "type": _property(kind, "Kind and version of the message."),
        "app_id": _property({"const": APP_ID}, "Who published it."),
        "timestamp": _property(_INSTANT, "When it was published."),
    }
    trace = _trace("That of the request; with tracing on, that of the publish.")
    return _table({**properties, **trace}, required=tuple(properties))


def dead_properties() -> Schema:
    """Build the schema of what the worker adds to the copy of a failed request."""
    added = {
        ERROR_CODE: _header(
            {"type": "string", "enum": [str(code) for code in ErrorCode]}, "`error.code` of the result."
        ),
        ERROR_MESSAGE: _header(_TEXT, "`error.message` of the result."),
        FIRST_SEEN: _header(_INSTANT, "When a worker first saw the request."),
        REQUEST_ID: _header(_TEXT, "The request id: the copy has a `message_id` of its own."),
    }
    sometimes = {
        ATTEMPTS: _header({"type": "integer", "minimum": 0}, "Calls that were made."),
        REPLY_TO: _header(_TEXT, "The request's `reply_to`, if it had one."),
        TASK_ID: _header(_TEXT, "Only where the worker failed after the endpoint had accepted the request."),
    }
    return _table({**added, **sometimes})


def undelivered_properties() -> Schema:
    """Build the schema of what the worker sets on a result, or a completion, that its queue did not take."""
    result = _answer_properties({"enum": [RESULT_TYPE, COMPLETION_TYPE]})
    lost = _header(_TEXT, "The queue, or routing key, that did not take it.")
    return _table({**result["properties"], ORIGINAL_REPLY_TO: lost}, required=(*result["required"], ORIGINAL_REPLY_TO))


def _trace(use: str) -> dict[str, Schema]:
    return {
        TRACEPARENT: _header(_TEXT, f"W3C trace context. {use}"),
        TRACESTATE: _header(_TEXT, f"W3C trace context. {use}"),
    }


def _property(kind: Schema, description: str) -> Schema:
    return {**kind, "description": description, "x-amqp": "property"}


def _header(kind: Schema, description: str) -> Schema:
    return {**kind, "description": description, "x-amqp": "header"}


def _table(parts: Mapping[str, Schema], required: tuple[str, ...] = ()) -> Schema:
    # Other headers travel along.
    return {"type": "object", "properties": dict(parts), **({"required": list(required)} if required else {})}
