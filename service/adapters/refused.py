"""Did nobody listen? Event loops say it in different ways, above all for a name with several addresses."""

_TEXTS = ("Connect call failed", "Connection refused")


def is_refused(error: BaseException) -> bool:
    """Tell whether a connection was tried, and nothing listened there."""
    return isinstance(error, ConnectionRefusedError) or any(text in str(error) for text in _TEXTS)
