"""Refuses what the real endpoint refuses; on purpose it shares no rule with the worker's own checks."""

import hmac
from collections.abc import Callable
from urllib.parse import urlsplit

from service.core.catalogue import Catalogue, Model
from service.simulator.reaction import Reaction, Shape

LARGEST_SEED = 2_147_483_647
# Names of the vendor's families reach the vendor; for any other the gateway itself has no channel.
_VENDOR_FAMILIES = ("wan", "wanx")


def unauthorized(authorization: str | None, api_key: str | None) -> Reaction | None:
    """Check the `Authorization` header; with `api_key` None any bearer token will do that is not empty."""
    scheme, _, token = (authorization or "").partition(" ")
    token = token.strip()
    if scheme.lower() == "bearer" and token and (api_key is None or _same(token, api_key)):
        return None
    problem = "Incorrect API key provided" if token else "No API key provided; send Authorization: Bearer KEY"
    return Reaction(401, code="invalid_api_key", message=problem)


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


def wrong_form(content_type: str, raw: bytes | None, body: object) -> Reaction | None:
    """Check media type, size and JSON. `raw` None: the body is over the limit; `body` None: it is no JSON."""
    if content_type.partition(";")[0].strip().lower() != "application/json":
        return Reaction(415, code="unsupported_media_type", message="Content-Type must be application/json")
    if raw is None:
        return Reaction(413, code="request_too_large", message="Request body too large")
    if not isinstance(body, dict):
        return _invalid("request body must be a JSON object")
    return None


def wrong_field(body: dict[str, object], catalogue: Catalogue, separator: str) -> Reaction | None:
    """Check the fields; the first wrong one is told. Unknown fields are ignored, as gateways do."""
    for field, (is_right, expected) in _TYPES.items():
        if field in body and not is_right(body[field]):
            return _invalid(f"{field} must be {expected}")
    for field in ("prompt", "model"):
        if not str(body.get(field, "")).strip():
            return _invalid(f"{field} is required")
    name = str(body["model"])
    model = catalogue.find(name)
    return _unknown_model(name) if model is None else _unfit_for_model(body, model, separator)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_whole_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


def _is_seed(value: object) -> bool:
    return isinstance(value, int) and _is_whole_number(value) and 0 <= value <= LARGEST_SEED


_TYPES: dict[str, tuple[Callable[[object], bool], str]] = {
    "prompt": (_is_text, "a string"),
    "model": (_is_text, "a string"),
    "duration": (_is_whole_number, "an integer"),
    "size": (_is_text, "a string"),
    "watermark": (_is_flag, "a boolean"),
    "template": (_is_text, "a string"),
    "negative_prompt": (_is_text, "a string"),
    "prompt_extend": (_is_flag, "a boolean"),
    "seed": (_is_seed, f"an integer from 0 to {LARGEST_SEED}"),
    "audio_url": (_is_text, "a string"),
}


def _unfit_for_model(body: dict[str, object], model: Model, separator: str) -> Reaction | None:
    if "duration" in body and body["duration"] not in model.durations:
        return _invalid(f"duration must be one of {', '.join(map(str, model.durations))}")
    if "audio_url" in body:
        if not model.audio:
            return _invalid(f"audio_url is not supported by {model.name}")
        if not _is_web_url(str(body["audio_url"])):
            return Reaction(400, "InvalidURL", "audio_url is not a valid URL", Shape.VENDOR)
    sizes = {f"{width}{separator}{height}" for width, height in model.sizes}
    if "size" in body and body["size"] not in sizes:
        return Reaction(500, "build_request_failed", f"invalid size: {body['size']}", Shape.FLAT)
    return None


def _is_web_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)


def _invalid(message: str) -> Reaction:
    return Reaction(400, "InvalidParameter", message, Shape.VENDOR)


def _unknown_model(name: str) -> Reaction:
    if name.startswith(_VENDOR_FAMILIES):
        return Reaction(404, "ModelNotFound", f"Model not found: {name}", Shape.VENDOR)
    return Reaction(503, "model_not_found", f"no available channel for model {name}")
