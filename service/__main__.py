"""`python -m service` runs the worker; with arguments it is `videogen-worker`."""

import gc
import sys
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from types import ModuleType


def main() -> None:
    """Run the command line."""
    begin_quickly()
    from service.cli.app import app
    from service.cli.exits import defects_exit

    with defects_exit():
        app()


def begin_quickly() -> None:
    """Leave out of the imports what this process has no use for.

    What they make stays for good, and a collector that looks for garbage in it finds none. Where click is installed
    httpx imports a command line of its own; None in its place is Python's way to have none.
    """
    gc.set_threshold(20_000, 20, 20)
    sys.modules.setdefault("httpx._main", cast("ModuleType", None))


if __name__ == "__main__":
    if len(sys.argv) == 1:
        sys.argv.append("run")
    main()
