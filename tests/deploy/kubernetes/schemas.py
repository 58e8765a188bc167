"""Is a built-in object what the Kubernetes API takes? Said by its published schemas, which refuse unknown fields."""

import json
from functools import cache

import kubernetes_validate  # type: ignore[import-untyped] # it comes without types

from tests.deploy.kubernetes.rendering import Manifest

# The oldest in which all fields are on by default (ReadWriteOncePod), and the newest that there is a schema for.
RELEASES = ("1.29", kubernetes_validate.latest_version())


def schema_fault(manifest: Manifest) -> str | None:
    """Say what is wrong with an object in the oldest or the newest release."""
    return _fault(json.dumps(manifest))


# One object is in many compositions.
@cache
def _fault(text: str) -> str | None:
    for release in RELEASES:
        try:
            kubernetes_validate.validate(json.loads(text), release, strict=True)
        except (kubernetes_validate.ValidationError, kubernetes_validate.SchemaNotFoundError) as error:
            return f"{release}: {error.message}"
    return None
