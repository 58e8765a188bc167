"""Builds `Settings` from the sources, and reports everything that is wrong with them at once."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from service.settings.groups import BrokerSettings, Settings
from service.settings.masking import masked_url
from service.settings.names import NAMES, PREFIX, full_name
from service.settings.relations import broken_relations
from service.settings.sources import Gathered, Given, Problem, gather

# Any valid values: with them, relations are checked even where the required settings are missing.
_STAND_INS = {
    full_name(("endpoint", "base_url")): Given("http://localhost", "stand-in"),
    full_name(("endpoint", "api_key")): Given("stand-in", "stand-in"),
}

# Without the delimiter, so that a slip such as VIDEOGEN_BROKER_URL is told too.
_BROKER = full_name(("broker",))

# Where the library's own message does not say what to write.
_ADVICE = {
    "bool_parsing": "write true or false",
    "byte_size": "write bytes (262144), or a number with KiB or MiB (256KiB)",
    "byte_size_unit": "write bytes (262144), or a number with KiB or MiB (256KiB)",
    "path_not_file": "there is no such file; give the path of one that exists",
}
_SHOWN = 100


class SettingsError(Exception):
    """The settings are wrong; `problems` names each of them and what to do. No text holds a secret."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def load_settings(environ: Mapping[str, str] | None = None, dotenv: Path = Path(".env")) -> Settings:
    """Read and check the settings.

    Args:
        environ: the environment; None takes the one of this process.
        dotenv: a file of `NAME=value` lines; it need not exist.

    Raises:
        SettingsError: a name is unknown, a value missing or wrong, or values do not go together.
    """
    return _checked(gather(os.environ if environ is None else environ, dotenv))


def load_broker_settings(
    environ: Mapping[str, str] | None = None,
    dotenv: Path = Path(".env"),
    overrides: Mapping[str, str] | None = None,
) -> BrokerSettings:
    """Read and check the settings of the broker alone, for commands that need no endpoint.

    Args:
        environ: the environment; None takes the one of this process.
        dotenv: a file of `NAME=value` lines; it need not exist.
        overrides: values from the command line, by full name; they win over every source.

    Raises:
        SettingsError: a name of this group is unknown, a value wrong, or values do not go together.
    """
    won = overrides or {}
    gathered = gather(os.environ if environ is None else environ, dotenv, _BROKER)
    values = {**_STAND_INS, **gathered.values, **{name: Given(text, "the command line") for name, text in won.items()}}
    problems = [problem for problem in gathered.problems if problem.name not in won]
    return _checked(Gathered(values, problems), _BROKER).broker


def _checked(gathered: Gathered, start: str = PREFIX) -> Settings:
    settings, wrong = _build(gathered.values)
    known_faults = {problem.name for problem in gathered.problems}
    problems = [*gathered.problems, *(problem for problem in wrong if problem.name not in known_faults)]
    faulty = {problem.name for problem in problems}
    problems += _relation_problems(gathered.values, faulty, start)
    if problems or settings is None:
        raise SettingsError(tuple(problem.text for problem in problems))
    return settings


def _build(values: Mapping[str, Given]) -> tuple[Settings | None, list[Problem]]:
    try:
        return Settings.model_validate(_nested(values)), []
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
    return None, [_problem(detail, values) for detail in details]


def _nested(values: Mapping[str, Given]) -> dict[str, object]:
    groups: dict[str, dict[str, str]] = {
        name: {}
        for name, field in Settings.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
    }
    single: dict[str, str] = {}
    for name, given in values.items():
        *group, key = NAMES[name].path
        (groups[group[0]] if group else single)[key] = given.text
    return {**groups, **single}


def _problem(detail: ErrorDetails, values: Mapping[str, Given]) -> Problem:
    name = NAMES[full_name(tuple(str(part) for part in detail["loc"]))]
    given = values.get(name.full)
    if given is None:
        return Problem(name.full, f"{name.full} is not set; it is required: {name.field.description}")
    shown = name.full if name.secret else f"{name.full}={masked_url(given.text)[:_SHOWN]!r}"
    advice = _ADVICE.get(detail["type"], detail["msg"].removeprefix("Value error, "))
    return Problem(name.full, f"{shown} (from {given.origin}): {advice}")


def _relation_problems(values: Mapping[str, Given], faulty: set[str], start: str) -> Iterator[Problem]:
    sound = {name: given for name, given in values.items() if name not in faulty}
    settings, _ = _build({**_STAND_INS, **sound})
    for broken in broken_relations(settings) if settings else ():
        if faulty.isdisjoint(broken.names) and all(name.startswith(start) for name in broken.names):
            yield Problem(broken.names[0], broken.text)
