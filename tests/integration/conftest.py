from collections.abc import AsyncIterator

import pytest

from tests.integration.inbox import Inbox, declare_requests
from tests.support.broker import Amqp
from tests.support.fakes import RecordingObserver
from tests.support.links import proxy_to, with_address
from tests.support.tcp_proxy import TcpProxy


@pytest.fixture
async def proxy(broker_url: str) -> AsyncIterator[TcpProxy]:
    async with proxy_to(broker_url) as proxy:
        yield proxy


@pytest.fixture
def proxied_url(proxy: TcpProxy, broker_url: str) -> str:
    return with_address(broker_url, port=proxy.port)


@pytest.fixture
def observer() -> RecordingObserver:
    return RecordingObserver()


@pytest.fixture
async def queue(amqp: Amqp, prefix: str) -> AsyncIterator[str]:
    """A queue of the kind that requests are in."""
    name = f"{prefix}.requests"
    await declare_requests(amqp, name)
    yield name
    await amqp.channel.queue_delete(name)


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()
