"""What the demo sends, and what must come back."""

import json
from dataclasses import dataclass

from service.core.result import ErrorCode


@dataclass(frozen=True, slots=True)
class Scene:
    """One request of the demo. `expected` is the error code, None where the request must be submitted."""

    title: str
    body: bytes
    expected: ErrorCode | None = None
    content_encoding: str | None = None
    one_of_many: bool = False


def _body(**fields: object) -> bytes:
    return json.dumps({"model": "wan2.2-t2v-plus", **fields}, ensure_ascii=False).encode()


SCENES: tuple[Scene, ...] = (
    Scene("a good request", _body(prompt="A lighthouse at dawn, slow pan", duration=5, seed=7)),
    Scene("size written 832*480", _body(prompt="A fox in the snow", size="832*480")),
    Scene("size written 832x480", _body(prompt="A fox in the rain", size="832x480")),
    Scene("size written 832×480", _body(prompt="A fox in the wind", size="832×480")),  # noqa: RUF001 - the sign itself
    Scene("a prompt of 900 characters", _body(prompt="A very long story. " * 47 + "The end")),
    Scene("an alias of a model", _body(prompt="Rain on a roof", model="wan2.1-t2v-turbo", watermark=False)),
    Scene(
        "a model that does not exist",
        _body(prompt="A cat", model="wan2.2-t2v-pluss"),
        ErrorCode.INVALID_REQUEST,
    ),
    Scene("a misspelt field, a wrong size", _body(promt="A cat", size="100x100"), ErrorCode.INVALID_REQUEST),
    Scene("not JSON", b"Please make me a video", ErrorCode.MALFORMED_MESSAGE),
    Scene("gzip, not plain JSON", b"\x1f\x8b\x08", ErrorCode.MALFORMED_MESSAGE, content_encoding="gzip"),
    Scene("endpoint refuses twice (429), then accepts", _body(prompt="A busy street [sim: 429 x2]")),
    Scene(
        "endpoint refuses for good (content)",
        _body(prompt="Something forbidden [sim: 400 code=DataInspectionFailed]"),
        ErrorCode.REJECTED,
    ),
    Scene(
        "endpoint accepts, but its answer is lost",
        _body(prompt="A broken line [sim: accept-then-502]"),
        ErrorCode.UNCERTAIN,
    ),
)


def crowd(count: int) -> tuple[Scene, ...]:
    """Make `count` further good requests."""
    return tuple(
        Scene(f"good request {n}", _body(prompt=f"Scene {n} of a long film"), one_of_many=True)
        for n in range(1, count + 1)
    )
