"""Why tracing cannot begin."""


class TracingConfigurationError(Exception):
    """Tracing is on and cannot work. The message names what to set or install, and holds no secret."""


def wrong_variable(error: ValueError) -> TracingConfigurationError:
    """Make an error of what the SDK says of a variable's value; it names the variable."""
    return TracingConfigurationError(
        f"an OTEL_ variable cannot be read: {error}; correct it, or set VIDEOGEN_TRACING__ENABLED=false"
    )
