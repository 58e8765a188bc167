"""Which release is running."""

from importlib.metadata import PackageNotFoundError, version

DISTRIBUTION = "videogen-worker"


def installed_version() -> str:
    """Tell the version of the installed distribution; "unknown" where the source tree runs uninstalled."""
    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:
        return "unknown"
