"""`videogen-worker run`: the worker."""

from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from service.cli.exits import FAILED, known_errors_exit, settings_or_exit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from service.settings import Settings


def run() -> None:
    """
    Run the worker until SIGTERM or SIGINT.

    On the first signal it stops consuming, hands back what has not started, finishes and answers what has, and
    exits with 0. A second signal ends it at once. Exit status: 0 clean, 1 something could not be settled or used
    (the log names it), 2 wrong settings.
    """
    _leave_on_signals()

    from service.adapters.logging_setup import configure_logging
    from service.cli.event_loop import run_to_the_end

    settings = settings_or_exit()
    with known_errors_exit():
        secrets = configure_logging(settings)
    with _defects_logged(), known_errors_exit():
        raise typer.Exit(run_to_the_end(_work(settings, secrets.learn)))


@contextmanager
def _defects_logged() -> "Iterator[None]":
    """Tell of an exception that nobody expected as a line of the log, like all that this process says."""
    import structlog

    try:
        yield
    except typer.Exit:
        raise
    except Exception as error:
        structlog.get_logger().critical("the worker ends, because of a defect", exc_info=error)
        raise typer.Exit(FAILED) from error


def _leave_on_signals() -> None:
    """Make a signal before the first message a clean stop; once the worker runs, its own handlers take over.

    Process 1 of a container gets no signal at all that it has no handler for.
    """
    import signal
    import sys

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))


async def _work(settings: "Settings", learned_secret: "Callable[[str], None]") -> int:
    from service.app import assemble
    from service.lifecycle import run as run_worker

    async with assemble(settings, learned_secret=learned_secret) as worker:
        _collect_garbage_less_often()
        return await run_worker(worker)


def _collect_garbage_less_often() -> None:
    """Leave out of garbage collection what lives as long as the process, and look at the rest less often.

    A request makes some thousand objects, and nearly all of them go without a collector. Python's own thresholds have
    it look for the others after every 700.
    """
    import gc

    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
