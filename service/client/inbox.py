"""Answers to what was submitted, until somebody takes them."""

import asyncio
from collections import deque

from service.client.answer import Submitted
from service.client.errors import VideogenError

Answer = Submitted | VideogenError
"""What became of a request; an error is a value here."""


class Inbox:
    """A queue that knows whether more is to come."""

    def __init__(self) -> None:
        self._answers: deque[Answer] = deque()
        self._to_come = 0
        self._closed = False
        self._changed = asyncio.Event()

    def expect_one(self) -> None:
        """Reckon with one more answer."""
        self._to_come += 1

    def put(self, answer: Answer) -> None:
        """Take in an answer that was expected."""
        self._to_come -= 1
        self._answers.append(answer)
        self._wake()

    def close(self) -> None:
        """Have nobody wait any more."""
        self._closed = True
        self._wake()

    async def take(self, *, forever: bool) -> Answer | None:
        """Give the oldest answer; None when none is to come (`forever`: when closed)."""
        while not self._answers:
            if self._closed or not (forever or self._to_come):
                return None
            await self._changed.wait()
        return self._answers.popleft()

    def _wake(self) -> None:
        # Whoever waits looks again; the next to wait has an event of its own.
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
