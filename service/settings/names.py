"""The full names of all settings, and which one was probably meant."""

from collections.abc import Iterator
from dataclasses import dataclass

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
        return self.field.annotation is SecretStr

    @property
    def file_variant(self) -> str:
        """The name that gives a file to read the secret from."""
        return f"{self.full}_FILE"


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
KNOWN = (*NAMES, *FILE_VARIANTS, SECRETS_DIR)


def suggestion(unknown: str) -> str | None:
    """Find the known name that was probably meant: a slip of the pen, or the group left out."""
    close = close_names(unknown.removeprefix(PREFIX), [name.removeprefix(PREFIX).lower() for name in KNOWN], 1)
    if close:
        return full_name((close[0],))
    ending = DELIMITER + unknown.removeprefix(PREFIX)
    return next((name for name in KNOWN if name.endswith(ending)), None)
