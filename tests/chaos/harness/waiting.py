"""Waiting for what no event tells of: the state of a queue, a file, another process."""

import asyncio
from collections.abc import Awaitable, Callable

_INTERVAL = 0.05


async def until(holds: Callable[[], Awaitable[bool]], what: str, within: float = 30.0) -> None:
    """Ask again and again until the answer is yes; fail with `what` after `within` seconds."""
    try:
        async with asyncio.timeout(within):
            while not await holds():  # noqa: ASYNC110 - what is asked about is in another process
                await asyncio.sleep(_INTERVAL)
    except TimeoutError:
        raise AssertionError(f"{what}: not so within {within:.0f} s") from None
