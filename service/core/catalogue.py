"""The model catalogue: which models exist and what each of them takes. Data, not code (spec section 1)."""

import re
from functools import cached_property
from typing import Annotated, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PositiveInt,
    model_validator,
)

_Item = TypeVar("_Item")

# The first is the one that the worker writes itself.
_SIZE_SEPARATORS = "*xX\u00d7"
# No leading zeros: they would be another spelling of one size. No more than 5 digits: no video is wider.
SIZE_FORM = f"([1-9][0-9]{{0,4}})[{_SIZE_SEPARATORS}]([1-9][0-9]{{0,4}})"
_SIZE = re.compile(SIZE_FORM)


def parse_size(text: str) -> tuple[int, int] | None:
    """Read `832*480` as `(width, height)`; x, X and the multiplication sign separate as well."""
    found = _SIZE.fullmatch(text)
    return (int(found[1]), int(found[2])) if found else None


def size_name(size: tuple[int, int]) -> str:
    """Write a size as people read it: `832*480`."""
    return f"{size[0]}*{size[1]}"


def size_spellings(size: tuple[int, int]) -> tuple[str, ...]:
    """Write a size in every way that `parse_size` reads as it; none for a size that is too large to be written."""
    spellings = (f"{size[0]}{separator}{size[1]}" for separator in _SIZE_SEPARATORS)
    return tuple(spelling for spelling in spellings if parse_size(spelling) == size)


def _size(value: object) -> object:
    match value:
        case str():
            return parse_size(value) or value
        case list():
            # Strict validation after a validator of our own takes a list for no tuple.
            return tuple(value)
        case _:
            return value


def _not_empty(values: tuple[_Item, ...]) -> tuple[_Item, ...]:
    # Not `min_length`: that counts only the right items, and reports a list of one wrong item as empty too.
    if not values:
        raise ValueError("must not be empty")
    return values


Size = Annotated[tuple[PositiveInt, PositiveInt], BeforeValidator(_size)]


class Model(BaseModel):
    """One model. `durations` are seconds, `prompt_limit` is Unicode code points.

    `sizes` are `(width, height)` in pixels and may be given as `832*480`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, description="a name that is not empty")
    aliases: tuple[str, ...] = Field(default=(), description="a list, each item a name")
    sizes: Annotated[tuple[Size, ...], AfterValidator(_not_empty)] = Field(
        description='a list, each item a size such as "832*480"'
    )
    durations: Annotated[tuple[PositiveInt, ...], AfterValidator(_not_empty)] = Field(
        description="a list, each item a whole number of seconds above 0"
    )
    audio: bool = Field(default=False, description="true or false")
    prompt_limit: PositiveInt = Field(default=800, description="a whole number above 0")


class Catalogue(BaseModel):
    """All models of the endpoint. Names and aliases are unique."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    models: Annotated[tuple[Model, ...], AfterValidator(_not_empty)] = Field(description="a list, each item a model")

    @model_validator(mode="after")
    def _names_are_unique(self) -> "Catalogue":
        seen: set[str] = set()
        for model in self.models:
            for name in (model.name, *model.aliases):
                if name in seen:
                    raise ValueError(f"the name {name!r} stands twice; every name and alias must be unique")
                seen.add(name)
        return self

    @cached_property
    def _by_name(self) -> dict[str, Model]:
        return {name: model for model in self.models for name in (model.name, *model.aliases)}

    def find(self, name: str) -> Model | None:
        """Resolve a model name or alias."""
        return self._by_name.get(name)

    @property
    def names(self) -> tuple[str, ...]:
        """All names that a request may use, aliases included."""
        return tuple(self._by_name)

    @property
    def audio_models(self) -> tuple[str, ...]:
        """The names of the models that take `audio_url`."""
        return tuple(model.name for model in self.models if model.audio)
