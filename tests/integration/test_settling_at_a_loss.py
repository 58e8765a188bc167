"""Settling as the connection dies: the library's own queue of frames must hold nobody up."""

import asyncio

import aio_pika
import pytest

from service.core.facts import LinkUp
from tests.integration.inbox import Inbox, consuming
from tests.support.broker import Amqp
from tests.support.fakes import GUARD, RecordingObserver
from tests.support.tcp_proxy import TcpProxy

MANY = 40


@pytest.mark.pain(2)
@pytest.mark.parametrize("settle", ["ack", "hand_back"])
async def test_however_many_are_settled_as_the_connection_dies_none_hangs(
    proxy: TcpProxy, proxied_url: str, amqp: Amqp, queue: str, inbox: Inbox, observer: RecordingObserver, settle: str
) -> None:
    for _ in range(MANY):
        await amqp.publish(queue, aio_pika.Message(b"m"))
    async with consuming(proxied_url, queue, inbox, observer, prefetch=MANY) as (_, link):
        await inbox.wait_for(MANY)
        session = await link.session()

        session.connection.drop()  # type: ignore[attr-defined]
        async with asyncio.timeout(GUARD):
            await asyncio.gather(*(getattr(incoming, settle)() for incoming in inbox.messages[:MANY]))
        await observer.wait_for(LinkUp, 2)
