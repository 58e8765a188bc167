"""The tables of messages: fields of the bodies, properties and headers, from the schemas that producers get."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from service.adapters.catalogue_file import load_catalogue
from service.schema import Schema, error_schema, request_schema, result_schema
from service.schema.properties import dead_properties, request_properties, result_properties, undelivered_properties
from tests.docs.tables.markdown import code, listed, sentence, table

_PROPERTIES: Mapping[str, Callable[[], Schema]] = {
    "request": request_properties,
    "result": result_properties,
    "dead": dead_properties,
}


def request_fields_table() -> str:
    """Build the table of the fields of a request, the required ones first."""
    schema = request_schema(load_catalogue(None))
    required = schema["required"]
    rows = sorted(schema["properties"].items(), key=lambda item: item[0] not in required)
    return table(
        ("field", "type", "rule"),
        ((code(name), _kind(field) + (", required" if name in required else ""), _rule(field)) for name, field in rows),
    )


def result_fields_table() -> str:
    """Build the table of the fields of both forms of a result."""
    forms = {name: form["properties"] for name, form in result_schema()["$defs"].items() if name.endswith("Result")}
    submitted, failed = forms["SubmittedResult"], forms["FailedResult"]
    names = dict.fromkeys((*submitted, *failed))
    return table(("field", "type", "in", "what"), (_result_row(name, submitted, failed) for name in names))


def _result_row(name: str, submitted: Schema, failed: Schema) -> tuple[str, str, str, str]:
    both = name in submitted and name in failed
    where = "both" if both else code("submitted" if name in submitted else "failed")
    field = submitted.get(name) or failed[name]
    if name == "status":
        return code(name), "string", where, listed(form[name]["const"] for form in (submitted, failed)) + "."
    if "$ref" in field:
        return code(name), "object", where, "Why it failed; see below."
    return code(name), _kind(field), where, _rule(field)


def error_fields_table() -> str:
    """Build the table of the fields of `error` in a failed result."""
    fields = error_schema()["properties"]
    return table(("field of `error`", "type", "what"), (_error_row(name, field) for name, field in fields.items()))


def _error_row(name: str, field: Schema) -> tuple[str, str, str]:
    if name == "code":
        return code(name), "string", "One of the codes of [errors](errors.md)."
    return code(name), _kind(field), _rule(field)


def properties_table(message: str) -> str:
    """Build the table of properties and headers of `request`, `result` or `dead`."""
    schema = _PROPERTIES[message]()
    return table(("property", "use"), ((_place(name, part), _use(part)) for name, part in schema["properties"].items()))


def undelivered_table() -> str:
    """Build the table of what an undelivered result has besides the properties of a result."""
    of_a_result = result_properties()["properties"]
    added = {name: part for name, part in undelivered_properties()["properties"].items() if name not in of_a_result}
    return table(("property", "use"), ((_place(name, part), _use(part)) for name, part in added.items()))


def _place(name: str, part: Schema) -> str:
    return f"header {code(name)}" if part["x-amqp"] == "header" else code(name)


def _use(part: Schema) -> str:
    fixed = f"{code(str(part['const']))}. " if "const" in part else ""
    return fixed + sentence(part["description"])


def _kind(field: Schema) -> str:
    """Name the type of a field in words."""
    field = _given(field)
    match field:
        case {"type": "array", "items": {"$ref": str()}}:
            return "list of objects"
        case {"type": "array", "items": {"type": str(item)}}:
            return f"list of {item}s"
        case {"enum": list()} if field["type"] == "string" and len(field["enum"]) <= len("abc"):
            return f"string: {listed(field['enum'])}"
        case {"format": "date-time"}:
            return "instant, RFC 3339"
        case _:
            return str(field["type"])


def _given(field: Schema) -> Schema:
    """Leave out that an optional field may be null."""
    kinds: list[dict[str, Any]] = field.get("anyOf", [field])
    return next(kind for kind in kinds if kind.get("type") != "null")


def _rule(field: Schema) -> str:
    return " ".join([sentence(field["description"]), *(f"{bound}." for bound in _bounds(_given(field)))])


def _bounds(field: Schema) -> Iterator[str]:
    if "minimum" in field and "maximum" in field:
        yield f"{field['minimum']} to {field['maximum']}"
