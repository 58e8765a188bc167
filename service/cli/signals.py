"""Signals that end a command in good order."""

import signal


def cancel_on_signals() -> None:
    """Let SIGTERM and SIGHUP cancel the current task, as SIGINT does under `asyncio.run`."""
    import asyncio

    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGTERM, signal.SIGHUP):
        # Under nohup the hangup stays ignored.
        if signal.getsignal(number) is not signal.SIG_IGN:
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
