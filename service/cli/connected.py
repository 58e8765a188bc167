"""An exchange for as long as its first connection lasts: whoever looks on hears of a loss at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from service.adapters.rabbitmq.configured import link_options_of
from service.client.exchange import Exchange
from service.client.options import Replies, Way
from service.core.facts import Fact, LinkDown, LinkUp
from service.settings import BrokerSettings


class BrokerLostError(Exception):
    """The broker cannot be reached, or was lost. The message says what to do."""


class _FirstLoss:
    """Breaks a wait off at the first loss. Keeps port `Observer`."""

    def __init__(self, wait: asyncio.Timeout) -> None:
        self._wait = wait
        self._was_up = False
        self.told: str | None = None

    def notify(self, fact: Fact) -> None:
        if isinstance(fact, LinkUp):
            self._was_up = True
        if isinstance(fact, LinkDown) and self.told is None:
            self.told = (
                "The broker connection was lost while waiting for results."
                if self._was_up
                else f"The broker cannot be reached: {fact.reason}."
            )
            self._wait.reschedule(0)


@asynccontextmanager
async def connected_exchange(broker: BrokerSettings) -> AsyncIterator[Exchange]:
    """Send requests over one connection.

    Raises:
        BrokerLostError: it does not come about, or is lost.
        CertificateError: a certificate file cannot be used.
    """
    # Direct: what comes after a loss is then kept in `undelivered`, and not in a queue that expires.
    way = Way(link_options_of(broker), broker.prefix, Replies.DIRECT)
    wait = asyncio.timeout(None)
    loss = _FirstLoss(wait)
    try:
        async with wait, Exchange(way, loss) as exchange:
            yield exchange
    except TimeoutError:
        if loss.told is None:
            raise
        raise BrokerLostError(loss.told) from None
