from collections.abc import AsyncIterator

import pytest

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
