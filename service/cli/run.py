"""`videogen-worker run`: the worker."""

from typing import TYPE_CHECKING

import typer

from service.cli.exits import known_errors_exit, settings_or_exit

if TYPE_CHECKING:
    from service.settings import Settings


def run() -> None:
    """
    Run the worker until SIGTERM or SIGINT.

    On the first signal it stops consuming, hands back what has not started, finishes and answers what has, and
    exits with 0. A second signal ends it at once. Exit status: 0 clean, 1 something could not be settled or used
    (the log names it), 2 wrong settings.
    """
    import asyncio

    from service.adapters.logging_setup import configure_logging

    settings = settings_or_exit()
    configure_logging(settings)
    with known_errors_exit():
        raise typer.Exit(asyncio.run(_work(settings)))


async def _work(settings: "Settings") -> int:
    from service.app import assemble
    from service.lifecycle import run as run_worker

    async with assemble(settings) as worker:
        return await run_worker(worker)
