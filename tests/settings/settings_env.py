"""The smallest environment that loads, and a loader that looks at nothing else."""

from collections.abc import Mapping
from pathlib import Path

from service.settings import Settings, SettingsError, load_settings

KEY = "sk-sentinel-key"
REQUIRED = {
    "VIDEOGEN_ENDPOINT__BASE_URL": "https://api.example.com",
    "VIDEOGEN_ENDPOINT__API_KEY": KEY,
}
NO_DOTENV = Path("/nonexistent/.env")


def load(changes: Mapping[str, str] | None = None) -> Settings:
    return load_settings({**REQUIRED, **(changes or {})}, NO_DOTENV)


def problems(changes: Mapping[str, str], required: Mapping[str, str] = REQUIRED) -> tuple[str, ...]:
    try:
        load_settings({**required, **changes}, NO_DOTENV)
    except SettingsError as error:
        return error.problems
    return ()


def problem(changes: Mapping[str, str]) -> str:
    """The one problem that `changes` make."""
    (text,) = problems(changes)
    return text
