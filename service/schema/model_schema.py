"""JSON Schemas of pydantic models, in a form that draft 2020-12 and AsyncAPI's draft 7 read alike."""

from typing import Any, Literal

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema
from typing_extensions import override

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_DEFINITIONS = "#/$defs/"
_COMPONENTS = "#/components/schemas/"


def schema_of(kind: Any, mode: Literal["validation", "serialization"]) -> Schema:  # noqa: ANN401 - a type of any form
    """Build the schema of a type, with what it refers to under `$defs`."""
    schema = TypeAdapter(kind).json_schema(mode=mode, schema_generator=_Plain)
    definitions: Schema = schema.pop("$defs", {})
    built = {name: _with_plain_references(each, definitions) for name, each in {"": schema, **definitions}.items()}
    root: Schema = built.pop("")
    used = {name: each for name, each in built.items() if _refers_to(name, [root, *built.values()])}
    return {"$schema": DIALECT, **root, **({"$defs": used} if used else {})}


def as_components(name: str, schema: Schema) -> dict[str, Schema]:
    """Give a schema and what it refers to in the form that AsyncAPI keeps under `components.schemas`."""
    root = {key: value for key, value in schema.items() if key not in {"$schema", "$defs"}}
    parts = {name: root, **schema.get("$defs", {})}
    return {each: _moved(part) for each, part in parts.items()}


class _Plain(GenerateJsonSchema):
    """Without titles that repeat a field's name, without defaults, and without OpenAPI's `discriminator`."""

    @override
    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    @override
    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    @override
    def tagged_union_schema(self, schema: core_schema.TaggedUnionSchema) -> JsonSchemaValue:
        union = super().tagged_union_schema(schema)
        # AsyncAPI has a keyword of this name too, and of another form.
        union.pop("discriminator", None)
        return union


def _with_plain_references(node: Any, definitions: Schema) -> Any:  # noqa: ANN401 - JSON of any kind
    """Put the definition in place of a reference that something stands beside: draft 7 passes over what does."""
    match node:
        case {"$ref": str(reference), **beside} if beside:
            definition = definitions[reference.removeprefix(_DEFINITIONS)]
            return _with_plain_references({**definition, **beside}, definitions)
        case dict():
            return {key: _with_plain_references(value, definitions) for key, value in node.items()}
        case list():
            return [_with_plain_references(value, definitions) for value in node]
        case _:
            return node


def _refers_to(name: str, node: Any) -> bool:  # noqa: ANN401 - JSON of any kind
    match node:
        case dict():
            return node.get("$ref") == f"{_DEFINITIONS}{name}" or any(_refers_to(name, each) for each in node.values())
        case list():
            return any(_refers_to(name, each) for each in node)
        case _:
            return False


def _moved(node: Any) -> Any:  # noqa: ANN401 - JSON of any kind
    match node:
        case {"$ref": str(reference)}:
            return {"$ref": reference.replace(_DEFINITIONS, _COMPONENTS, 1)}
        case dict():
            return {key: _moved(value) for key, value in node.items()}
        case list():
            return [_moved(value) for value in node]
        case _:
            return node
