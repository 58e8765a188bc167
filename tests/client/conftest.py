from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from service.client import Replies
from tests.client.plant import Plant, plant_at


@pytest.fixture(params=[*Replies])
def replies(request: pytest.FixtureRequest) -> Replies:
    kind: Replies = request.param
    return kind


@pytest.fixture
async def plant(broker_url: str, prefix: str, tmp_path: Path) -> AsyncIterator[Plant]:
    async with plant_at(broker_url, prefix, tmp_path) as plant:
        yield plant
