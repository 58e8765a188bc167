"""Runs a command's event loop, and ends it also where a library holds up the end."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_PATIENCE = 2.0
"""Seconds that tasks have to end after everything of ours has ended."""


def run_to_the_end(work: Coroutine[Any, Any, T], patience: float = _PATIENCE) -> T:
    """Run `work` as `asyncio.run` does, but wait only so long for tasks that are left over.

    aiormq can wait for ever in the close of a connection that the broker resets at that moment, and it swallows the
    cancellation: `asyncio.run` would never come back, and the process never end.
    """
    loop = _new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        return loop.run_until_complete(work)
    finally:
        _end(loop, patience)


def _new_event_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:
        # It is not built for every platform; the worker is only slower without it.
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def _end(loop: asyncio.AbstractEventLoop, patience: float) -> None:
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    if left:
        loop.run_until_complete(asyncio.wait(left, timeout=patience))
    loop.run_until_complete(loop.shutdown_asyncgens())
    # What is still there goes down with the process; nobody needs to hear of it.
    loop.set_exception_handler(lambda _loop, _context: None)
    asyncio.set_event_loop(None)
    loop.close()
