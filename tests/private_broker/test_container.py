import sys
from pathlib import Path

import pytest

from service.private_broker.broker import PassedOverError
from service.private_broker.container import docker_broker, engine_answers


@pytest.fixture
def no_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no-engine.sock")


def test_a_socket_that_is_not_there_is_no_engine(no_engine: None) -> None:
    assert not engine_answers()


async def test_without_an_engine_the_way_is_closed(no_engine: None) -> None:
    with pytest.raises(PassedOverError, match="no Docker engine answers"):
        await docker_broker(print).__aenter__()


async def test_without_the_extra_the_way_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "testcontainers.core.docker_client", None)
    with pytest.raises(PassedOverError, match="the extra `docker` is not installed"):
        await docker_broker(print).__aenter__()
