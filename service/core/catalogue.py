"""The model catalogue: which models exist and what each of them takes. Data, not code (spec section 1)."""

from functools import cached_property

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, model_validator


class Model(BaseModel):
    """One model. `durations` are seconds, `prompt_limit` is Unicode code points, sizes are `(width, height)` pixels."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1)
    aliases: tuple[str, ...] = ()
    sizes: tuple[tuple[PositiveInt, PositiveInt], ...] = Field(min_length=1)
    durations: tuple[PositiveInt, ...] = Field(min_length=1)
    audio: bool = False
    prompt_limit: PositiveInt = 800


class Catalogue(BaseModel):
    """All models of the endpoint. Names and aliases are unique."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    models: tuple[Model, ...] = Field(min_length=1)

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
