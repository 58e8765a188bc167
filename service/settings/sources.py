"""Reads the values of settings, as text, from where they may stand: environment, `.env`, secret files."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from pydantic_settings import BaseSettings, DotEnvSettingsSource

from service.settings.names import (
    FILE_VARIANTS,
    KNOWN,
    NAMES,
    PREFIX,
    SECRETS_DIR,
    TEST_PREFIX,
    Name,
    suggestion,
)
from service.settings.secret_file import SecretFileError, read_secret

DEFAULT_SECRETS_DIR = Path("/run/secrets")

_SERVICE_HOST = "_SERVICE_HOST"


@dataclass(frozen=True, slots=True)
class Given:
    """A value as it was written, and where; `file` is the secret file that it was read from."""

    text: str
    origin: str
    file: Path | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one setting and what to do; `name` is the full name."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Gathered:
    """The values of known settings by full name, and the problems met on the way to them."""

    values: dict[str, Given] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def gather(environ: Mapping[str, str], dotenv: Path, start: str = PREFIX) -> Gathered:
    """Read every source. The environment wins over `.env`, and `.env` over the secret files.

    Names count in any case. An empty value counts as not set. Names with another `start` are passed over.
    """
    gathered = Gathered()
    given = _from_dotenv(dotenv, gathered.problems) | _own(environ, "the environment")
    given = _from_secret_files(given.get(SECRETS_DIR), start, gathered.problems) | given
    links = _service_links(given)
    for name, value in given.items():
        if not name.startswith(start):
            continue
        if name in FILE_VARIANTS:
            _read_variant(FILE_VARIANTS[name], value, given, gathered)
        elif name in NAMES:
            _keep(NAMES[name], value, gathered)
        elif name not in KNOWN and name not in links and not name.startswith(TEST_PREFIX):
            gathered.problems.append(_unknown(name, value.origin))
    return gathered


def _own(variables: Mapping[str, str | None], origin: str) -> dict[str, Given]:
    upper = {name.upper(): text for name, text in variables.items()}
    return {
        name: Given(text, origin)
        for name, text in upper.items()
        if name.startswith(PREFIX) and (text or name not in KNOWN) and text is not None
    }


def _from_dotenv(path: Path, problems: list[Problem]) -> dict[str, Given]:
    try:
        source = DotEnvSettingsSource(BaseSettings, env_file=path)
    except (OSError, UnicodeDecodeError) as error:
        problems.append(Problem(str(path), f"{path} cannot be read: {_why(error)}; make it a readable UTF-8 file"))
        return {}
    return _own(source.env_vars, str(path))


def _from_secret_files(directory: Given | None, start: str, problems: list[Problem]) -> dict[str, Given]:
    path = Path(directory.text) if directory else DEFAULT_SECRETS_DIR
    try:
        files = [file for file in path.iterdir() if file.name.upper().startswith(start)]
    except OSError as error:
        # Nobody asked for the default directory, so it may be missing or closed to us.
        if directory:
            problems.append(
                Problem(
                    SECRETS_DIR,
                    f"{SECRETS_DIR}={str(path)!r}: {_why(error)}; name a directory that can be read",
                )
            )
        return {}
    texts = {file: _read_secret(file, file.name.upper(), str(file), problems) for file in sorted(files)}
    return {
        name: replace(given, file=file)
        for file, text in texts.items()
        for name, given in _own({file.name: text}, str(file)).items()
    }


def _keep(name: Name, given: Given, gathered: Gathered) -> None:
    gathered.values[name.full] = given
    if given.file is not None and name.file_variant in NAMES:
        gathered.values[name.file_variant] = Given(str(given.file), given.origin)


def _read_variant(name: Name, path: Given, given: Mapping[str, Given], gathered: Gathered) -> None:
    shown = f"{name.file_variant}={path.text!r}"
    if name.full in given:
        text = f"{shown}: {name.full} is set too; set one of the two"
        gathered.problems.append(Problem(name.full, text))
        return
    secret = _read_secret(Path(path.text), name.full, shown, gathered.problems)
    if secret:
        _keep(name, Given(secret, path.text, Path(path.text)), gathered)
    elif secret is not None:
        gathered.problems.append(Problem(name.full, f"{shown}: the file is empty; write the value into it"))


def _read_secret(file: Path, name: str, shown: str, problems: list[Problem]) -> str | None:
    try:
        return read_secret(file)
    except SecretFileError as error:
        problems.append(Problem(name, f"{shown}: {error}; name a UTF-8 file that the worker may read"))
        return None


def _why(error: OSError | UnicodeDecodeError) -> str:
    # The text of a UnicodeDecodeError quotes the file, and the file may hold a secret.
    return error.strerror or type(error).__name__ if isinstance(error, OSError) else "not UTF-8"


def _service_links(names: Iterable[str]) -> set[str]:
    """Find the variables that Kubernetes sets for a Service whose name starts with `videogen`.

    Source: Kubernetes documentation, "Service", section "Environment variables".
    """
    names = list(names)
    services = [re.escape(name.removesuffix(_SERVICE_HOST)) for name in names if name.endswith(_SERVICE_HOST)]
    if not services:
        return set()
    pattern = re.compile(rf"(?:{'|'.join(services)})_(?:SERVICE_HOST|SERVICE_PORT(?:_.+)?|PORT(?:_[0-9]+_.+)?)")
    return {name for name in names if pattern.fullmatch(name)}


def _unknown(name: str, origin: str) -> Problem:
    meant = suggestion(name)
    advice = f"did you mean {meant}?" if meant else "remove it, or look its name up in docs/settings.md"
    return Problem(name, f"{name} (from {origin}): there is no such setting; {advice}")
