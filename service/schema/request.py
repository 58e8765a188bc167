"""The JSON Schema of a request: the fields of `RequestBody`, and what each model of the catalogue takes."""

from service.core.catalogue import Catalogue, Model, size_name, size_spellings
from service.core.request_body import RequestBody
from service.schema.model_schema import Schema, schema_of

_MEANING = (
    "What a producer asks for. What this schema refuses, the worker refuses too. The worker refuses more: numbers that "
    "are written with a fraction or an exponent (5.0 is 5 for JSON Schema); what is no well-formed message (a body "
    "that is too large, compressed or not UTF-8, a name that stands twice, NaN, a lone surrogate); and an `audio_url` "
    "whose host, port or characters a pattern cannot judge. It takes texts that are too long and cuts them."
)
# What `str.strip` takes off; the last one is U+3000. Written out, because \s is not the same everywhere.
_BLANKS = "".join(chr(code) for code in range(0x3001) if chr(code).isspace())


def request_schema(catalogue: Catalogue) -> Schema:
    """Build the schema of the body of a request for the models of `catalogue`."""
    schema = schema_of(RequestBody, "validation")
    schema["title"] = "Request"
    schema["description"] = _MEANING
    schema["properties"]["model"]["enum"] = list(catalogue.names)
    schema["allOf"] = [_rule(model) for model in catalogue.models]
    schema["examples"] = [request_example(catalogue)]
    return schema


def request_example(catalogue: Catalogue) -> Schema:
    """Give a request that the first model of the catalogue takes."""
    model = catalogue.models[0]
    return {
        "model": model.name,
        "prompt": "A lighthouse at dawn"[: model.prompt_limit],
        "size": size_name(model.sizes[0]),
        "duration": model.durations[0],
        "watermark": False,
        "seed": 42,
    }


def _rule(model: Model) -> Schema:
    sizes = [spelling for size in model.sizes for spelling in size_spellings(size)]
    taken: Schema = {
        # Not blank after the cut.
        "prompt": {"pattern": f"^[\\s\\S]{{0,{model.prompt_limit - 1}}}[^{_BLANKS}]"},
        "duration": {"enum": [*model.durations, None]},
        "size": {"enum": [*sizes, None]},
    }
    if not model.audio:
        taken["audio_url"] = {"type": "null"}
    names = [model.name, *model.aliases]
    return {
        "if": {"properties": {"model": {"enum": names}}, "required": ["model"]},
        "then": {"title": f"What {model.name} takes", "properties": taken},
    }
