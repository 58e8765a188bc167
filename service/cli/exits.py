"""How commands end when something is wrong: one message on standard error, no traceback, a status that tells."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

import typer

if TYPE_CHECKING:
    from service.settings import Settings

FAILED = 1
WRONG_SETTINGS = 2
TIMED_OUT = 3


def fail(message: str, status: int = FAILED) -> NoReturn:
    """Print `message` on standard error and exit."""
    typer.echo(f"videogen-worker: {message}", err=True)
    raise typer.Exit(status)


def settings_or_exit() -> "Settings":
    """Load the settings; print every problem at once and exit with status 2 where there are any."""
    from service.settings import SettingsError, load_settings

    try:
        return load_settings()
    except SettingsError as error:
        lines = "\n".join(f"  - {problem}" for problem in error.problems)
        count = len(error.problems)
        fail(f"{count} problem{'s' if count > 1 else ''} in the settings:\n{lines}", WRONG_SETTINGS)


@contextmanager
def known_errors_exit() -> Iterator[None]:
    """Turn the errors that name their own cure into an exit with their message."""
    from service.adapters.admin import AdminPortError
    from service.adapters.catalogue_file import CatalogueError
    from service.adapters.rabbitmq.errors import TopologyError

    try:
        yield
    except CatalogueError as error:
        fail(str(error), WRONG_SETTINGS)
    except (AdminPortError, TopologyError) as error:
        fail(str(error))
