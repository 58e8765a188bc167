"""Reads the model catalogue: the shipped one, or the operator's file (`VIDEOGEN_MODELS_FILE`)."""

from importlib.resources import files
from pathlib import Path

from pydantic import ValidationError

from service.core.catalogue import Catalogue, Model
from service.core.explanation import Place, explained

_FIELDS = {**Catalogue.model_fields, **Model.model_fields}


class CatalogueError(Exception):
    """The catalogue cannot be used. The text names the file, each wrong place in it, and what to do."""


def load_catalogue(path: Path | None = None) -> Catalogue:
    """Read the catalogue at `path`, or the one that comes with the package.

    Raises:
        CatalogueError: the file is missing, unreadable, not JSON, or of another shape.
    """
    source = files("service") / "data" / "models.json" if path is None else path
    try:
        content = source.read_bytes()
    except FileNotFoundError:
        raise CatalogueError(
            f"The models file {source} does not exist. Correct VIDEOGEN_MODELS_FILE, "
            "or leave it unset to use the models that come with the package."
        ) from None
    except OSError as error:
        raise CatalogueError(
            f"The models file {source} cannot be read ({error.strerror}). Name a file that the worker may read."
        ) from None
    try:
        return Catalogue.model_validate_json(content, strict=True)
    except ValidationError as failure:
        raise CatalogueError(f"The models file {source} is wrong. Correct it: {'; '.join(_flaws(failure))}.") from None


def _flaws(failure: ValidationError) -> list[str]:
    error = failure.errors(include_url=False)[0]
    if error["type"] == "json_invalid":
        return [f"not JSON, {error['ctx']['error']}"]
    return [f"{_written(place)} {message}".lstrip() for place, message in explained(failure, _FIELDS)]


def _written(place: Place) -> str:
    """Write a place as people do: `models[0].sizes[2]`."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)
    return "".join(steps).removeprefix(".")
