"""Tells the broker what became of the deliveries of one channel; what is settled meanwhile is told together.

The library's queue of frames has room for ten. Once its writer is gone nobody empties it, and whoever waits for room
waits for ever: a lost connection does not wake them (aiormq 7.2). So only one task waits there, and it ends with the
session.
"""

import asyncio
from contextlib import suppress
from enum import Enum, auto

from aiormq.abc import AbstractChannel

from service.adapters.rabbitmq.errors import LinkLost, link_errors
from service.core.value_class import value_class


class Settled(Enum):
    """What the broker is told of a delivery."""

    DONE = auto()
    REQUEUE = auto()


@value_class
class _Word:
    tag: int
    settled: Settled
    given: asyncio.Future[None]


class Settlements:
    """What was settled on one channel and not yet told, until `ended` is done."""

    def __init__(self, channel: AbstractChannel, ended: asyncio.Future[str]) -> None:
        self._channel = channel
        self._ended = ended
        self._open: list[_Word] = []
        self._under_way: list[_Word] = []
        self._telling: asyncio.Task[None] | None = None
        ended.add_done_callback(self._give_up)

    async def tell(self, tag: int, settled: Settled) -> None:
        """Come back when the broker was told, or when there is no channel left on which to tell it."""
        if self._ended.done():
            return
        word = _Word(tag, settled, asyncio.get_running_loop().create_future())
        self._open.append(word)
        if self._telling is None:
            self._telling = asyncio.create_task(self._tell_all())
        await word.given

    async def _tell_all(self) -> None:
        while words := self._open:
            self._open = []
            self._under_way = words
            for word in words:
                await self._tell(word, wait=word is words[-1])
            _release(words)
        self._telling = None

    async def _tell(self, word: _Word, *, wait: bool) -> None:
        try:
            # What the library refuses to send has no channel any more.
            with suppress(LinkLost), link_errors():
                match word.settled:
                    case Settled.DONE:
                        await self._channel.basic_ack(word.tag, wait=wait)
                    case Settled.REQUEUE:
                        await self._channel.basic_reject(word.tag, requeue=True, wait=wait)
        except Exception as error:  # noqa: BLE001 - a defect belongs to whoever settles, not to this task
            word.given.set_exception(error)

    def _give_up(self, _: object) -> None:
        if self._telling is not None:
            self._telling.cancel()
        # On a dead channel the broker has taken the messages back already: there is nothing left to settle.
        _release(self._under_way + self._open)


def _release(words: list[_Word]) -> None:
    for word in words:
        if not word.given.done():
            word.given.set_result(None)
