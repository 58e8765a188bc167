"""Documents as text: JSON and YAML."""

import json
from enum import StrEnum

import yaml
from typing_extensions import override

from service.schema.model_schema import Schema


class Form(StrEnum):
    """How a document is written."""

    YAML = "yaml"
    JSON = "json"


def written(document: Schema, form: Form) -> str:
    """Write a document, with a line break at its end."""
    match form:
        case Form.JSON:
            # Escaped, because some of the blanks in patterns end a line for editors and terminals.
            return json.dumps(document, indent=2) + "\n"
        case Form.YAML:
            return yaml.dump(document, Dumper=_InFull, sort_keys=False, allow_unicode=True, width=120)


class _InFull(yaml.SafeDumper):
    """Writes a value that stands twice twice: anchors are hard on readers, and some tools refuse them."""

    @override
    def ignore_aliases(self, data: object) -> bool:
        return True
