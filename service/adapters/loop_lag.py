"""Measures how late the event loop runs its timers."""

import asyncio
from typing import NoReturn

from service.core.facts import LoopLag
from service.core.ports import Clock, Observer

INTERVAL = 0.25
"""Seconds between two measurements."""


async def watch_loop_lag(observer: Observer, clock: Clock, interval: float = INTERVAL) -> NoReturn:
    """Report the lag of one timer every `interval` seconds, until cancelled."""
    while True:
        due = clock.monotonic() + interval
        await asyncio.sleep(interval)
        observer.notify(LoopLag(max(0.0, clock.monotonic() - due)))
