"""From start to exit: supervised tasks, signals, drain, exit status."""

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from service.app import Worker
from service.core.drain import Drain
from service.core.facts import DrainStarted
from service.exit_status import ExitStatus

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


async def run(worker: Worker) -> ExitStatus:
    """Work until a signal or a fatal error, then drain.

    Returns:
        OK after a clean drain, FAILED where requests had to be left unsettled.

    Raises:
        TopologyError: the broker's objects cannot be used. What was in flight has been drained.
    """
    with _signals_begin(worker.drain):
        supervised = [asyncio.create_task(work(), name=name) for name, work in worker.background.items()]
        stop = asyncio.create_task(worker.drain.wait(), name="drain signal")
        await asyncio.wait({stop, *supervised}, return_when=asyncio.FIRST_COMPLETED)
        worker.drain.begin()
        status = await _drain(worker)
        for task in (stop, *supervised):
            task.cancel()
        await asyncio.wait({stop, *supervised})
    for task in supervised:
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error
    return status


async def _drain(worker: Worker) -> ExitStatus:
    worker.observer.notify(DrainStarted(worker.intake.in_flight))
    await worker.consumer.stop()
    try:
        async with asyncio.timeout(worker.settings.worker.drain_timeout):
            await worker.intake.finished()
    except TimeoutError:
        await worker.intake.abandon()
        return ExitStatus.FAILED
    return ExitStatus.OK


@contextmanager
def _signals_begin(drain: Drain) -> Iterator[None]:
    loop = asyncio.get_running_loop()

    def on_signal(number: signal.Signals) -> None:
        if drain.begun:
            # The second signal: whoever sends it wants the process gone, drained or not.
            os._exit(128 + number)
        drain.begin()

    for number in _SIGNALS:
        loop.add_signal_handler(number, on_signal, number)
    try:
        yield
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
