from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from service.adapters.ledger.opening import OpenLedger
from tests.support.ledgers import RedisStage, SqliteStage, Stage, VolatileStage


@pytest.fixture(params=["volatile", "sqlite", "redis"])
async def stage(request: pytest.FixtureRequest, tmp_path: Path, redis_url: str) -> AsyncIterator[Stage]:
    match request.param:
        case "volatile":
            yield VolatileStage()
        case "sqlite":
            yield SqliteStage(tmp_path / "ledger.db")
        case _:
            on_redis = RedisStage(redis_url, f"test-{uuid4().hex[:12]}")
            yield on_redis
            await on_redis.clear()


@pytest.fixture
async def ledger(stage: Stage) -> AsyncIterator[OpenLedger]:
    async with stage.open("a") as ledger:
        yield ledger


@pytest.fixture
async def other(stage: Stage) -> AsyncIterator[OpenLedger]:
    async with stage.open("b") as ledger:
        yield ledger
