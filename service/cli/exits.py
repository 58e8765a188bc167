"""How commands end when something is wrong: one message on standard error, no traceback, a status that tells."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

import typer

from service.exit_status import ExitStatus

if TYPE_CHECKING:
    from service.settings import BrokerSettings, Settings

FAILED = ExitStatus.FAILED
WRONG_SETTINGS = ExitStatus.WRONG_SETTINGS
TIMED_OUT = ExitStatus.TIMED_OUT
INTERRUPTED = ExitStatus.INTERRUPTED


def fail(message: str, status: int = FAILED) -> NoReturn:
    """Print `message` on standard error and exit."""
    typer.echo(f"videogen-worker: {message}", err=True)
    raise typer.Exit(status)


@contextmanager
def defects_exit() -> Iterator[None]:
    """Turn an exception that nobody expected into an exit that shows where it came from, and no secret.

    Python's own traceback ends with the message of the exception, which may quote an address with its password.
    """
    try:
        yield
    except Exception as error:  # noqa: BLE001 - the last boundary
        from service.adapters.redaction import traceback_without_messages

        fail(
            f"this is a defect of videogen-worker ({type(error).__name__}); please report it with these lines. "
            f"Messages are left out, because they may hold secrets.\n{traceback_without_messages(error)}"
        )


def settings_or_exit() -> "Settings":
    """Load the settings; print every problem at once and exit with status 2 where there are any."""
    from service.settings import load_settings

    with _settings_errors_exit():
        return load_settings()


def broker_settings_or_exit(overrides: Mapping[str, str | None]) -> "BrokerSettings":
    """Load the settings of the broker alone, or exit as above.

    `overrides` holds the options of the command by the full names of the settings; None: not given.
    """
    from service.settings import load_broker_settings

    with _settings_errors_exit():
        return load_broker_settings(overrides={name: text for name, text in overrides.items() if text is not None})


@contextmanager
def _settings_errors_exit() -> Iterator[None]:
    from service.settings import SettingsError

    try:
        yield
    except SettingsError as error:
        lines = "\n".join(f"  - {problem}" for problem in error.problems)
        count = len(error.problems)
        fail(f"{count} problem{'s' if count > 1 else ''} in the settings:\n{lines}", WRONG_SETTINGS)


@contextmanager
def known_errors_exit() -> Iterator[None]:
    """Turn the errors that name their own cure into an exit with their message."""
    from service.adapters.admin import AdminPortError
    from service.adapters.catalogue_file import CatalogueError
    from service.adapters.certificates import CertificateError
    from service.adapters.http_client import EndpointConfigurationError
    from service.adapters.ledger.errors import LedgerConfigurationError
    from service.adapters.rabbitmq.errors import TopologyError
    from service.adapters.tracing.errors import TracingConfigurationError

    try:
        yield
    except (
        CatalogueError,
        CertificateError,
        EndpointConfigurationError,
        LedgerConfigurationError,
        TracingConfigurationError,
    ) as error:
        fail(str(error), WRONG_SETTINGS)
    except (AdminPortError, TopologyError) as error:
        fail(str(error))
