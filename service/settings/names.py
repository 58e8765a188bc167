"""The full names of all settings, and which one was probably meant."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from service.core.suggestion import close_names
from service.settings.groups import Settings

PREFIX = "VIDEOGEN_"
DELIMITER = "__"
SECRETS_DIR = f"{PREFIX}SECRETS_DIR"
TEST_PREFIX = f"{PREFIX}TEST_"


@dataclass(frozen=True, slots=True)
class Name:
    """One setting: where it sits in `Settings` and what its field says."""

    full: str
    path: tuple[str, ...]
    field: FieldInfo

    @property
    def secret(self) -> bool:
        """Whether its value must never be shown."""
        return _holds_secret(self.field.annotation)

    @property
    def file_variant(self) -> str:
        """The name that gives a file to read the secret from; a setting too where the file is read again later."""
        return f"{self.full}_FILE"


def _holds_secret(annotation: Any) -> bool:  # noqa: ANN401 - an annotation can be any object
    # pydantic takes `Annotated` off the outside alone: in `ManagementUrl | None` it is still there.
    return annotation is SecretStr or any(_holds_secret(part) for part in get_args(annotation))


def full_name(path: tuple[str, ...]) -> str:
    """Name a setting by its path: `("endpoint", "timeout")` is `VIDEOGEN_ENDPOINT__TIMEOUT`."""
    return PREFIX + DELIMITER.join(path).upper()


def _names() -> Iterator[Name]:
    for group, group_field in Settings.model_fields.items():
        model = group_field.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            for name, field in model.model_fields.items():
                yield Name(full_name((group, name)), (group, name), field)
        else:
            yield Name(full_name((group,)), (group,), group_field)


NAMES = {name.full: name for name in _names()}
FILE_VARIANTS = {name.file_variant: name for name in NAMES.values() if name.secret}
KNOWN = tuple(dict.fromkeys((*NAMES, *FILE_VARIANTS, SECRETS_DIR)))


def suggestion(unknown: str) -> str | None:
    """Find the known name that was probably meant: a slip of the pen, or the group left out."""
    rest = unknown.removeprefix(PREFIX).lower()
    for group, key in _splits(rest):
        # Apart, because a long group that is right makes any two keys look alike.
        for near in close_names(group, _KEYS, 1) if group else [group]:
            for meant in close_names(key, _KEYS[near], 1):
                return full_name((near, meant) if near else (meant,))
    ending = (DELIMITER + rest).upper()
    return next((name for name in KNOWN if name.endswith(ending)), None)


def _splits(rest: str) -> Iterator[tuple[str, str]]:
    group, delimiter, key = rest.partition(DELIMITER)
    if delimiter:
        yield group, key
        return
    yield "", rest
    for known in _KEYS:
        if known and rest.startswith(f"{known}_"):
            yield known, rest.removeprefix(f"{known}_")


def _keys() -> dict[str, list[str]]:
    keys: dict[str, list[str]] = {"": []}
    for name in KNOWN:
        group, delimiter, key = name.removeprefix(PREFIX).lower().partition(DELIMITER)
        keys.setdefault(group if delimiter else "", []).append(key or group)
    return keys


_KEYS = _keys()
