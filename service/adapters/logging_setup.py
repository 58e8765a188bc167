"""Where log lines go, in which format, and what is masked in them: ours and the libraries'."""

import logging
import sys
from typing import TextIO

import structlog

from service.adapters.logs import ROOT
from service.adapters.redaction import Secrets, redact, traceback_without_messages
from service.settings import LogFormat, Settings, secret_texts


def configure_logging(settings: Settings, stream: TextIO | None = None) -> Secrets:
    """Send the lines of this process, the libraries' included, to one stream in one format.

    Args:
        settings: level and format, and the secrets that are masked wherever they turn up.
        stream: where to write; None takes standard error, because standard output belongs to command results.

    Returns:
        What is masked, so that a secret which turns up later can be added.
    """
    secrets = Secrets(secret_texts(settings))
    stream = stream or sys.stderr
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.processors.ExceptionRenderer(lambda info: traceback_without_messages(info[1])),
                redact(secrets),
                structlog.stdlib.add_logger_name,
                structlog.stdlib.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _renderer(settings.log.format, colors=stream.isatty()),
            ]
        )
    )
    level = logging.getLevelNamesMapping()[settings.log.level.upper()]
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(level, logging.WARNING))
    logging.getLogger(ROOT).setLevel(level)
    logging.captureWarnings(capture=True)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    return secrets


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
