"""The one signal that tells every part to start nothing new."""

import asyncio
from collections.abc import Coroutine


class Draining(Exception):  # noqa: N818 - a signal, not an error
    """Raised where something was about to start after the drain began."""


class Drain:
    """Begins once, never ends. Waits that may be given up race against it."""

    def __init__(self) -> None:
        self._begun = asyncio.Event()

    @property
    def begun(self) -> bool:
        """Whether the drain began."""
        return self._begun.is_set()

    def begin(self) -> None:
        """Begin; a second call changes nothing."""
        self._begun.set()

    async def wait(self) -> None:
        """Wait until the drain begins."""
        await self._begun.wait()

    async def pause(self, seconds: float) -> None:
        """Wait `seconds`, unless the drain begins first.

        Raises:
            Draining: the drain began.
        """
        try:
            async with asyncio.timeout(seconds):
                await self._begun.wait()
        except TimeoutError:
            return
        raise Draining

    async def race(self, work: Coroutine[object, object, object]) -> None:
        """Await `work`, unless the drain begins first; `work` is then cancelled.

        Raises:
            Draining: the drain began before `work` was done.
        """
        task = asyncio.ensure_future(work)
        begun = asyncio.ensure_future(self._begun.wait())
        try:
            await asyncio.wait({task, begun}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            begun.cancel()
            lost = not task.done()
            task.cancel()
        if lost:
            raise Draining
        await task
