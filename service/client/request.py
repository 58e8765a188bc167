"""A request as a producer writes it. The worker is the judge of it: a new model needs no new client."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Required, TypedDict

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from service.client.outbound import Outbound
from service.client.request_id import new_request_id
from service.core.deadline import DEADLINE_HEADER

# AMQP 0-9-1 section 4.2.5.3: the id travels as a short string of at most 255 bytes.
_ID_BYTES = 255
_NO_FIELDS = {"request_id", "deadline", "traceparent", "tracestate", "extra"}


class RequestFields(TypedDict, total=False):
    """The keyword arguments of a request, see `Request`."""

    prompt: Required[str]
    model: Required[str]
    duration: int | None
    size: str | None
    watermark: bool | None
    template: str | None
    negative_prompt: str | None
    prompt_extend: bool | None
    seed: int | None
    audio_url: str | None
    extra: Mapping[str, Any]
    request_id: str
    deadline: datetime | timedelta | None
    traceparent: str | None
    tracestate: str | None


class Request(BaseModel):
    """One wanted video. A wrong type or a missing field raises `pydantic.ValidationError`, a ValueError."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    prompt: str
    model: str
    duration: int | None = None
    """Seconds."""
    size: str | None = None
    """Width and height, such as `832x480`."""
    watermark: bool | None = None
    template: str | None = None
    negative_prompt: str | None = None
    prompt_extend: bool | None = None
    seed: int | None = None
    audio_url: str | None = None
    extra: Mapping[str, Any] = Field(default_factory=dict)
    """Fields of the request that this version does not know; sent as they are."""
    request_id: Annotated[str, StringConstraints(min_length=1)] = Field(default_factory=new_request_id)
    """One for each wanted video. Keep it to send the same request again."""
    deadline: AwareDatetime | timedelta | None = None
    """No call is made after it. A span counts from the call."""
    traceparent: str | None = None
    """Without one, a program that uses OpenTelemetry sends that of a span which the client makes."""
    tracestate: str | None = None

    def outbound(self, now: datetime | None = None) -> Outbound:
        """Write the message.

        Raises:
            ValueError: the request id is too long for a message, or `extra` is no JSON.
        """
        if len(self.request_id.encode()) > _ID_BYTES:
            raise ValueError(f"request_id: give at most {_ID_BYTES} bytes of UTF-8")
        fields = self.model_dump(exclude=_NO_FIELDS, exclude_none=True)
        try:
            body = json.dumps({**self.extra, **fields}, ensure_ascii=False, allow_nan=False).encode()
        except TypeError as error:
            raise ValueError(f"extra: give what JSON can hold ({error})") from error
        return Outbound(self.request_id, body, headers=self._headers(now or datetime.now(UTC)))

    def _headers(self, now: datetime) -> dict[str, str]:
        ends = now + self.deadline if isinstance(self.deadline, timedelta) else self.deadline
        headers = {
            DEADLINE_HEADER: None if ends is None else ends.astimezone(UTC).isoformat(),
            "traceparent": self.traceparent,
            "tracestate": self.tracestate,
        }
        return {name: text for name, text in headers.items() if text is not None}
