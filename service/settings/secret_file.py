"""Reads one secret from a file, at the start and again when the file changes."""

from pathlib import Path

from service.settings.value_types import check_key


class SecretFileError(Exception):
    """The file holds no usable secret; the message says why and never quotes it."""


def read_secret(file: Path) -> str:
    """Read the text of a secret file; line breaks at its end are dropped. The text may be empty.

    Raises:
        SecretFileError: the file cannot be read, or is not UTF-8.
    """
    try:
        return file.read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        raise SecretFileError(error.strerror or type(error).__name__) from None
    except UnicodeDecodeError:
        # Its own text quotes the file.
        raise SecretFileError("not UTF-8") from None


def read_api_key(file: Path) -> str:
    """Read the endpoint's key from its file.

    Raises:
        SecretFileError: the file cannot be read, or what it holds is no key.
    """
    try:
        return check_key(read_secret(file))
    except ValueError as error:
        raise SecretFileError(str(error)) from None
