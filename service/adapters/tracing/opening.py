"""Turns tracing on where the settings ask for it. Off, not a line of OpenTelemetry is imported."""

from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager, nullcontext

from structlog.typing import Processor

from service.adapters.tracing.errors import TracingConfigurationError, wrong_variable
from service.adapters.tracing.instruments import Instruments
from service.settings import Settings


def open_tracing(settings: Settings) -> AbstractAsyncContextManager[Instruments]:
    """Make what the worker's parts are traced with. At the end of the context, spans that are left are sent.

    Raises:
        TracingConfigurationError: it is on and cannot work; also raised on entering.
    """
    if not settings.tracing.enabled:
        return nullcontext(Instruments())
    with _extra_needed():
        from service.adapters.tracing.instrumented import instruments_for  # noqa: PLC0415 - of the extra
    return instruments_for(settings)


def log_processors(settings: Settings) -> list[Processor]:
    """List what tracing adds to the making of log lines.

    Raises:
        TracingConfigurationError: it is on and cannot work.
    """
    if not settings.tracing.enabled:
        return []
    with _extra_needed():
        from service.adapters.tracing.ids import add_ids  # noqa: PLC0415 - of the extra
    return [add_ids]


@contextmanager
def _extra_needed() -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "opentelemetry":
            raise
        raise TracingConfigurationError(
            "VIDEOGEN_TRACING__ENABLED=true needs packages that are not installed: "
            "pip install 'videogen-worker[otel]', or set it to false"
        ) from error
    except ValueError as error:
        # Some variables are read when the SDK is imported.
        raise wrong_variable(error) from error
