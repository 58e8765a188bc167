"""The request: what a producer may ask for and what is sent to the endpoint (spec section 1)."""

from pydantic import BaseModel, ConfigDict, Field

from service.core.value_class import value_class


class FieldProblem(BaseModel):
    """One wrong field and what to do about it. `message` follows the field: `seed: must be …`."""

    model_config = ConfigDict(frozen=True)

    field: str = Field(
        description="The field; `body` stands for the whole body, `headers.NAME` for a header of the message."
    )
    message: str = Field(description="What is wrong with it and what to do, to be read after the name of the field.")


@value_class
class VideoRequest:
    """A checked request. `size` is `(width, height)` in pixels; None means: not set, left out of the body."""

    prompt: str
    model: str
    duration: int | None = None
    size: tuple[int, int] | None = None
    watermark: bool | None = None
    template: str | None = None
    negative_prompt: str | None = None
    prompt_extend: bool | None = None
    seed: int | None = None
    audio_url: str | None = None

    def payload(self, size_separator: str = "*") -> dict[str, str | int | bool]:
        """Build the JSON body for the endpoint: flat, unset fields left out, `false` and `0` kept."""
        fields: dict[str, str | int | bool | None] = {
            "prompt": self.prompt,
            "model": self.model,
            "duration": self.duration,
            "size": None if self.size is None else f"{self.size[0]}{size_separator}{self.size[1]}",
            "watermark": self.watermark,
            "template": self.template,
            "negative_prompt": self.negative_prompt,
            "prompt_extend": self.prompt_extend,
            "seed": self.seed,
            "audio_url": self.audio_url,
        }
        return {name: value for name, value in fields.items() if value is not None}
