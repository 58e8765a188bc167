"""OpenTelemetry: requests, calls and publishes as spans of one trace (an extra)."""
