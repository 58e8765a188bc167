"""Why tracing cannot begin."""


class TracingConfigurationError(Exception):
    """Tracing is on and cannot work. The message names what to set or install, and holds no secret."""
