from collections.abc import AsyncIterator

import pytest

from tests.simulator.serving import Endpoint, serving


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    async with serving() as endpoint:
        yield endpoint
