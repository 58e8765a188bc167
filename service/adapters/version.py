"""Which release is running, and which source it was built from."""

from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files

DISTRIBUTION = "videogen-worker"
UNKNOWN = "unknown"


def installed_version() -> str:
    """Tell the version of the installed distribution; "unknown" where the source tree runs uninstalled."""
    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:
        return UNKNOWN


def built_revision() -> str:
    """Tell the revision that the image was built from; "unknown" outside an image, which alone has this file."""
    try:
        return (files("service") / "data" / "revision").read_text().strip() or UNKNOWN
    except FileNotFoundError:
        return UNKNOWN
