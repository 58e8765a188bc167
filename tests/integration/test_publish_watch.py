import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiormq.abc import AbstractChannel

from service.adapters.rabbitmq.link import Link, Session
from service.adapters.rabbitmq.publish_watch import watch_publishing
from service.core.facts import BrokerBlocked, LinkDown, LinkUp, Published
from service.private_broker import Node
from tests.support.fakes import GUARD, Changes, RecordingObserver
from tests.support.links import link_to, proxy_to, running, with_address
from tests.support.tcp_proxy import TcpProxy, Way

OFTEN = 0.2


class Canaries:
    """Counts the canaries of a link: each begins by asking for the channel."""

    def __init__(self) -> None:
        self._sent = 0
        self._changes = Changes()

    async def count_on(self, session: Session) -> None:
        """Set a session up so that its canaries are counted."""
        lend = session.channel.get_underlay_channel

        async def counted() -> AbstractChannel:
            self._sent += 1
            self._changes.happened()
            return await lend()

        session.channel.get_underlay_channel = counted  # type: ignore[method-assign] # the watch has no hook of its own

    async def confirmed(self, count: int) -> None:
        """Wait until `count` more have come back: the next one is not sent before."""
        last = self._sent + count
        await self._changes.until(lambda: self._sent > last)


@pytest.fixture
def canaries() -> Canaries:
    return Canaries()


@asynccontextmanager
async def watched(
    url: str, observer: RecordingObserver, canaries: Canaries, *, within: float = GUARD
) -> AsyncIterator[Link]:
    link = link_to(url, observer, canaries.count_on)
    async with running(link), asyncio.timeout(4 * GUARD):
        await link.session()
        watching = asyncio.create_task(watch_publishing(link, observer, OFTEN, within))
        try:
            yield link
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)


@asynccontextmanager
async def memory_alarm(node: Node) -> AsyncIterator[None]:
    await node.run_ctl("set_vm_memory_high_watermark", "absolute", "1")
    try:
        yield
    finally:
        await node.run_ctl("set_vm_memory_high_watermark", "0.4")


async def test_an_idle_link_that_works_is_left_alone_and_nothing_is_counted_as_a_result(
    broker_url: str, observer: RecordingObserver, canaries: Canaries
) -> None:
    async with watched(broker_url, observer, canaries):
        await canaries.confirmed(3)

    assert [type(fact) for fact in observer.facts] == [LinkUp]


@pytest.mark.parametrize("way", Way)
async def test_an_idle_link_that_loses_all_bytes_of_one_direction_is_given_up(
    proxy: TcpProxy, proxied_url: str, observer: RecordingObserver, canaries: Canaries, way: Way
) -> None:
    async with watched(proxied_url, observer, canaries, within=0.4):
        await canaries.confirmed(1)
        proxy.swallow(way)
        await observer.wait_for(LinkUp, 2)

    assert [down.reason for down in observer.of(LinkDown)] == ["the broker confirmed nothing in time"]
    assert not observer.of(Published)


async def test_an_alarm_is_told_while_nothing_is_published_and_ends_no_session(
    node: Node, observer: RecordingObserver, canaries: Canaries
) -> None:
    async with watched(node.url, observer, canaries, within=0.4):
        await canaries.confirmed(1)
        async with memory_alarm(node):
            await observer.wait_for(BrokerBlocked)
        await observer.wait_for(BrokerBlocked, 2)
        await canaries.confirmed(1)

    assert [fact.blocked for fact in observer.of(BrokerBlocked)] == [True, False]
    assert not observer.of(LinkDown)


async def test_a_link_that_comes_up_during_an_alarm_never_counts_as_free(
    node: Node, observer: RecordingObserver, canaries: Canaries
) -> None:
    async with (
        proxy_to(node.url) as proxy,
        watched(with_address(node.url, port=proxy.port), observer, canaries) as link,
    ):
        async with memory_alarm(node):
            await observer.wait_for(BrokerBlocked)
            for ups in range(2, 5):
                proxy.cut()
                await observer.wait_for(LinkUp, ups)
                await link.session()
            assert [fact.blocked for fact in observer.of(BrokerBlocked)] == [True]
        await observer.wait_for(BrokerBlocked, 2)
