"""Where log lines go, in which format, and what is masked in them: ours and the libraries'."""

import logging
import sys
from typing import TextIO

import structlog

from service.adapters.logs import ROOT
from service.adapters.redaction import Secrets, redact, traceback_without_messages
from service.adapters.tracing.opening import log_processors
from service.settings import LogFormat, Settings, secret_texts


def configure_logging(settings: Settings, stream: TextIO | None = None) -> Secrets:
    """Send the lines of this process, the libraries' included, to one stream in one format.

    Args:
        settings: level and format, and the secrets that are masked wherever they turn up.
        stream: where to write; None takes standard error, because standard output belongs to command results.

    Returns:
        What is masked, so that a secret which turns up later can be added.

    Raises:
        TracingConfigurationError: tracing is on and cannot work.
    """
    secrets = Secrets(secret_texts(settings))
    stream = stream or sys.stderr
    level = logging.getLevelNamesMapping()[settings.log.level.upper()]
    render = _renderer(settings.log.format, colors=stream.isatty())
    stamps: list[structlog.typing.Processor] = [
        *log_processors(settings),
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    _send_libraries(
        stream,
        max(level, logging.WARNING),
        [redact(secrets, ours=False), *stamps, render],
    )
    # Our own lines don't pass through the standard library's logging: there is one for each request, and the detour
    # would cost more than the call to the endpoint.
    structlog.configure(
        processors=[
            _name_of_ours,
            structlog.processors.ExceptionRenderer(_traceback_of),
            redact(secrets, ours=True),
            *stamps,
            render,
        ],
        logger_factory=structlog.WriteLoggerFactory(stream),
        wrapper_class=structlog.make_filtering_bound_logger(level),
    )
    return secrets


def _send_libraries(stream: TextIO, level: int, processors: list[structlog.typing.Processor]) -> None:
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.processors.ExceptionRenderer(_traceback_of),
                structlog.stdlib.add_logger_name,
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *processors,
            ]
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    logging.captureWarnings(capture=True)


def _name_of_ours(
    _logger: structlog.typing.WrappedLogger, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    event["logger"] = ROOT
    return event


def _traceback_of(exc_info: structlog.typing.ExcInfo) -> str:
    return traceback_without_messages(exc_info[1])


def _renderer(log_format: LogFormat, *, colors: bool) -> structlog.typing.Processor:
    match log_format:
        case LogFormat.JSON:
            return structlog.processors.JSONRenderer()
        case LogFormat.CONSOLE:
            # The default formatter prints local variables, and with them the payload. `repr` defuses terminal
            # escapes in an id that a producer chose.
            return structlog.dev.ConsoleRenderer(
                colors=colors, repr_native_str=True, exception_formatter=structlog.dev.plain_traceback
            )
