"""Keeps answers back until somebody says so: tests hold calls in flight on an event instead of a time."""

import asyncio


class Gate:
    """A gate that is shut; each release lets out those who wait."""

    def __init__(self) -> None:
        self._open = False
        self._waiting: set[asyncio.Future[None]] = set()

    async def wait(self) -> None:
        """Wait for the next release; return at once where the gate stands open."""
        if self._open:
            return
        place = asyncio.get_running_loop().create_future()
        self._waiting.add(place)
        try:
            await place
        finally:
            self._waiting.discard(place)

    def release(self, *, for_good: bool = False) -> int:
        """Let out all who wait now and tell how many; `for_good` leaves the gate open for later ones."""
        self._open = self._open or for_good
        released = [place for place in self._waiting if not place.done()]
        for place in released:
            place.set_result(None)
        self._waiting.clear()
        return len(released)

    def shut(self) -> None:
        """Hold newcomers from now on."""
        self._open = False
