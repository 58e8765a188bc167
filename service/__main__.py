"""`python -m service` runs the worker; with arguments it is `videogen-worker`."""

import sys


def main() -> None:
    """Run the command line."""
    from service.cli.app import app
    from service.cli.exits import defects_exit

    with defects_exit():
        app()


if __name__ == "__main__":
    if len(sys.argv) == 1:
        sys.argv.append("run")
    main()
