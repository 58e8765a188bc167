"""The rules of every request field, checked in one pass over the bytes (spec section 1)."""

from dataclasses import dataclass, field
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from service.core.catalogue import Catalogue, Model, parse_size, size_name
from service.core.contract import VideoRequest
from service.core.explanation import echo
from service.core.suggestion import close_names

NEGATIVE_PROMPT_LIMIT = 500
SEED_MAX = 2**31 - 1
_SIZE_FORM = 'a string such as "832*480"'


@dataclass(frozen=True, slots=True)
class BodyContext:
    """What the rules need besides the body, and where they leave their warnings. One for each message."""

    catalogue: Catalogue
    warnings: list[str] = field(default_factory=list)


class RequestBody(BaseModel):
    """A request as it is sent. Validate it with a `BodyContext` as the context.

    Where the model itself is wrong, rules that depend on it are left out; the form is checked all the same.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    # First, because the rules of other fields depend on it.
    model: str = Field(description="the name of a model")
    prompt: str = Field(description="a text that is not blank")
    duration: Annotated[int, Field(gt=0)] | None = Field(default=None, description="a whole number of seconds above 0")
    size: tuple[int, int] | None = Field(default=None, description=_SIZE_FORM)
    watermark: bool | None = Field(default=None, description="true or false")
    template: str | None = Field(default=None, description="a text")
    negative_prompt: str | None = Field(default=None, description="a text")
    prompt_extend: bool | None = Field(default=None, description="true or false")
    seed: Annotated[int, Field(ge=0, le=SEED_MAX)] | None = Field(
        default=None, description=f"a whole number from 0 to {SEED_MAX}"
    )
    audio_url: str | None = Field(default=None, description="an http or https URL")

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

    @field_validator("size", mode="plain", json_schema_input_type=str | None)
    @classmethod
    def _check_size(cls, text: object, info: ValidationInfo) -> tuple[int, int] | None:
        if text is None:
            return None
        size = parse_size(text) if isinstance(text, str) else None
        if size is None:
            raise ValueError(f"must be {_SIZE_FORM}, not {echo(text)}")
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
