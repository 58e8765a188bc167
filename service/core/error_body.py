"""Reads what the body of an answer says: a task id, or an error in one of two shapes (endpoint facts)."""

import json
from collections.abc import Iterator
from typing import Any

from service.core.value_class import value_class

# Gateways wrap each other's answers; a hostile or broken one must not keep us unwrapping.
_MAX_LAYERS = 6
_MAX_BRACES = 8
# The id travels in replies and headers, which have no room for a page.
_TASK_ID_LIMIT = 512
_DECODER = json.JSONDecoder()


@value_class
class AnswerBody:
    """What a body says. `codes`, `types` and `messages` are non-empty strings, the innermost layer first.

    `task_id` is the id of a created task, None where there is none that could be passed on.
    `named_task` is whatever stands for a task id, fit or not, in any layer: somebody created a task.
    `is_object` tells that the body is a JSON object, `is_error` that it has the shape of an error.
    """

    task_id: str | None = None
    named_task: str | None = None
    is_object: bool = False
    is_error: bool = False
    codes: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    messages: tuple[str, ...] = ()


def read_answer_body(body: bytes) -> AnswerBody:
    """Read a body. The shapes are `{"error": {"message", "type", "code"}}` and `{"code", "message"}`.

    A body that is no JSON object is taken as one message. Never raises.
    """
    try:
        outer = json.loads(body)
    except (ValueError, RecursionError):
        outer = None
    if not isinstance(outer, dict):
        return AnswerBody(messages=_present([body.decode(errors="replace")]))
    layers = _layers(outer)
    inward = layers[::-1]
    return AnswerBody(
        task_id=_fit_task_id(outer),
        named_task=next((str(found) for layer in layers for found in _task_ids(layer)), None),
        is_object=True,
        is_error=_is_error(outer),
        codes=_present(layer.get("code") for layer in inward),
        types=_present(layer.get("type") for layer in inward),
        messages=_present(_message(layer) for layer in inward),
    )


def _layers(outer: dict[str, Any]) -> list[dict[str, Any]]:
    layers = [outer]
    while len(layers) < _MAX_LAYERS and (inner := _inner(layers[-1])):
        layers.append(inner)
    return layers


def _inner(layer: dict[str, Any]) -> dict[str, Any] | None:
    for value in (layer.get("error"), layer.get("message")):
        found = _embedded(value) if isinstance(value, str) else value
        if isinstance(found, dict):
            return found
    return None


def _embedded(text: str) -> dict[str, Any] | None:
    """Find a JSON object inside text: `upstream said: {"code": ...} (request id: ...)`."""
    start = -1
    for _ in range(_MAX_BRACES):
        start = text.find("{", start + 1)
        if start < 0:
            return None
        try:
            found, _ = _DECODER.raw_decode(text, start)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict) and found:
            return found
    return None


def _task_ids(layer: dict[str, Any]) -> Iterator[object]:
    for place in (layer, layer.get("data"), layer.get("output")):
        if isinstance(place, dict) and (task_id := place.get("task_id")):
            yield task_id


def _fit_task_id(layer: dict[str, Any]) -> str | None:
    for found in _task_ids(layer):
        # A lone surrogate or a control character would break the reply that has to carry the id.
        if isinstance(found, str) and found.isprintable() and not found.isspace() and len(found) <= _TASK_ID_LIMIT:
            return found
    return None


def _is_error(outer: dict[str, Any]) -> bool:
    error = outer.get("error")
    if isinstance(error, dict):
        return bool(_present(error.get(name) for name in ("code", "type", "message")))
    return "code" in outer and bool(_present([outer["code"], outer.get("message")]))


def _message(layer: dict[str, Any]) -> object:
    return layer.get("message") or layer.get("error")


def _present(values: Iterator[object] | list[object] | list[str]) -> tuple[str, ...]:
    texts = (str(value).strip() for value in values if isinstance(value, str | int) and not isinstance(value, bool))
    return tuple(text for text in texts if text)
