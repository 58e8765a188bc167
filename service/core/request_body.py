"""The rules of every request field, checked in one pass over the bytes (spec section 1)."""

from dataclasses import field
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationInfo, WithJsonSchema, field_validator

from service.core.catalogue import SIZE_FORM, Catalogue, Model, parse_size, size_name
from service.core.contract import VideoRequest
from service.core.explanation import echo
from service.core.suggestion import close_names
from service.core.value_class import value_class

NEGATIVE_PROMPT_LIMIT = 500
SEED_MAX = 2**31 - 1
_SIZE_EXAMPLE = 'a string such as "832*480"'
# As much of `_is_web_url` as a pattern can say. It refuses nothing that is taken.
_WEB_URL = "^[Hh][Tt][Tt][Pp][Ss]?://([^/?#]*@)?[^/?#@: ][^/?#@ ]*([/?#][^ ]*)?$"


@value_class
class BodyContext:
    """What the rules need besides the body, and where they leave their warnings. One for each message."""

    catalogue: Catalogue
    warnings: list[str] = field(default_factory=list)


def _meant(text: str) -> dict[str, JsonValue]:
    return {"description": text}


class RequestBody(BaseModel):
    """A request as it is sent. Validate it with a `BodyContext` as the context.

    Where the model itself is wrong, rules that depend on it are left out; the form is checked all the same.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    # A `description` says what a field must be, to complete an error; what it is for is told in the schema alone.
    # First, because the rules of other fields depend on it.
    model: str = Field(description="the name of a model", json_schema_extra=_meant("A name or alias of the catalogue."))
    prompt: str = Field(
        description="a text that is not blank",
        json_schema_extra=_meant(
            "What the video shows. Longer than the model takes, it is cut, and the result has a warning; "
            "what is left must not be blank."
        ),
    )
    duration: Annotated[int, Field(gt=0)] | None = Field(
        default=None,
        description="a whole number of seconds above 0",
        json_schema_extra=_meant("Seconds; one of those that the model allows."),
    )
    size: tuple[int, int] | None = Field(
        default=None,
        description=_SIZE_EXAMPLE,
        json_schema_extra=_meant("Width and height in pixels; one of the model's sizes, in any of four spellings."),
    )
    watermark: bool | None = Field(
        default=None, description="true or false", json_schema_extra=_meant("Whether the video gets a watermark.")
    )
    template: str | None = Field(
        default=None, description="a text", json_schema_extra=_meant("Passed through to the endpoint.")
    )
    negative_prompt: str | None = Field(
        default=None,
        description="a text",
        json_schema_extra=_meant(
            f"What the video must not show. Cut to {NEGATIVE_PROMPT_LIMIT} code points; the result then has a warning."
        ),
    )
    prompt_extend: bool | None = Field(
        default=None,
        description="true or false",
        json_schema_extra=_meant("Whether the endpoint may extend the prompt."),
    )
    seed: Annotated[int, Field(ge=0, le=SEED_MAX)] | None = Field(
        default=None,
        description=f"a whole number from 0 to {SEED_MAX}",
        json_schema_extra=_meant("Makes the endpoint's random choices repeatable."),
    )
    audio_url: Annotated[str, WithJsonSchema({"type": "string", "pattern": _WEB_URL})] | None = Field(
        default=None,
        description="an http or https URL",
        json_schema_extra=_meant("Where the sound track is; for models with audio alone."),
    )

    @field_validator("model")
    @classmethod
    def _resolve_model(cls, name: str, info: ValidationInfo) -> str:
        catalogue = _context(info).catalogue
        model = catalogue.find(name)
        if model is None:
            close = close_names(name, catalogue.names, limit=3)
            advice = f"did you mean {_either(close)}?" if close else f"use {_either(_model_names(catalogue))}"
            raise ValueError(f"is {echo(name)}, which is no known model: {advice}")
        return model.name

    @field_validator("prompt")
    @classmethod
    def _cut_prompt(cls, prompt: str, info: ValidationInfo) -> str:
        model = _model(info)
        kept = prompt if model is None else _cut("prompt", prompt, model.prompt_limit, info)
        # After the cut: what is sent must not be blank.
        if not kept.strip():
            raise ValueError("must not be blank: say what the video shows")
        return kept

    @field_validator("negative_prompt")
    @classmethod
    def _cut_negative_prompt(cls, prompt: str | None, info: ValidationInfo) -> str | None:
        return None if prompt is None else _cut("negative_prompt", prompt, NEGATIVE_PROMPT_LIMIT, info)

    @field_validator("duration")
    @classmethod
    def _check_duration(cls, seconds: int | None, info: ValidationInfo) -> int | None:
        model = _model(info)
        if seconds is not None and model is not None and seconds not in model.durations:
            allowed = _either([str(duration) for duration in model.durations])
            raise ValueError(f"must be {allowed} seconds for {model.name}, not {echo(seconds)}")
        return seconds

    @field_validator(
        "size", mode="plain", json_schema_input_type=Annotated[str, Field(pattern=f"^{SIZE_FORM}$")] | None
    )
    @classmethod
    def _check_size(cls, text: object, info: ValidationInfo) -> tuple[int, int] | None:
        if text is None:
            return None
        size = parse_size(text) if isinstance(text, str) else None
        if size is None:
            raise ValueError(f"must be {_SIZE_EXAMPLE}, not {echo(text)}")
        model = _model(info)
        if model is not None and size not in model.sizes:
            allowed = _either([size_name(offered) for offered in model.sizes])
            raise ValueError(f"must be {allowed} for {model.name}, not {echo(text)}")
        return size

    @field_validator("audio_url")
    @classmethod
    def _check_audio_url(cls, url: str | None, info: ValidationInfo) -> str | None:
        if url is None:
            return None
        model = _model(info)
        if model is not None and not model.audio:
            takers = _context(info).catalogue.audio_models
            advice = f"leave it out or use {_either(takers)}" if takers else "no model takes it, leave it out"
            raise ValueError(f"is not taken by {model.name}: {advice}")
        if not _is_web_url(url):
            raise ValueError(f"must be an http or https URL with a host, not {echo(url)}")
        return url

    def request(self) -> VideoRequest:
        """Hand over the checked values."""
        return VideoRequest(
            prompt=self.prompt,
            model=self.model,
            duration=self.duration,
            size=self.size,
            watermark=self.watermark,
            template=self.template,
            negative_prompt=self.negative_prompt,
            prompt_extend=self.prompt_extend,
            seed=self.seed,
            audio_url=self.audio_url,
        )


def _context(info: ValidationInfo) -> BodyContext:
    if not isinstance(info.context, BodyContext):
        raise TypeError("validate a RequestBody with a BodyContext as its context")
    return info.context


def _model(info: ValidationInfo) -> Model | None:
    # Pydantic keeps only fields that were right in `data`.
    name = info.data.get("model")
    return None if name is None else _context(info).catalogue.find(name)


def _cut(name: str, text: str, limit: int, info: ValidationInfo) -> str:
    if len(text) <= limit:
        return text
    _context(info).warnings.append(f"{name} had {len(text)} characters; it was cut to the first {limit}")
    return text[:limit]


def _is_web_url(text: str) -> bool:
    # urlsplit drops line breaks and tabs silently.
    if not text.isprintable() or " " in text:
        return False
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)


def _model_names(catalogue: Catalogue) -> list[str]:
    return [model.name for model in catalogue.models]


def _either(names: list[str] | tuple[str, ...]) -> str:
    *most, last = names
    return f"{', '.join(most)} or {last}" if most else last
