import asyncio
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import web
from testcontainers.core.config import testcontainers_config

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


class FakeEngine:
    """The part of Docker's HTTP API that starting one container needs. The container is a port on loopback."""

    def __init__(self, published: int) -> None:
        self.created: list[str] = []
        self.removed = 0
        self._published = published

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/version", self._version)
        versioned = web.Application()
        versioned.router.add_get("/_ping", self._ping)
        versioned.router.add_get("/images/json", self._images)
        versioned.router.add_get("/images/{name}/json", self._image)
        versioned.router.add_post("/containers/create", self._create)
        versioned.router.add_get("/containers/{name}/json", self._inspect)
        versioned.router.add_post("/containers/{name}/start", self._start)
        versioned.router.add_delete("/containers/{name}", self._remove)
        app.add_subapp("/v1.44", versioned)
        return app

    async def _version(self, _: web.Request) -> web.Response:
        return web.json_response({"ApiVersion": "1.44"})

    async def _ping(self, _: web.Request) -> web.Response:
        return web.Response(text="OK")

    async def _images(self, _: web.Request) -> web.Response:
        return web.json_response([{"Id": "an-image"}])

    async def _image(self, _: web.Request) -> web.Response:
        return web.json_response({"Id": "an-image", "RepoTags": ["rabbitmq:4-management"]})

    async def _create(self, request: web.Request) -> web.Response:
        self.created.append((await request.json())["Image"])
        return web.json_response({"Id": "a-container"}, status=201)

    async def _inspect(self, _: web.Request) -> web.Response:
        ports = {"5672/tcp": [{"HostIp": "0.0.0.0", "HostPort": str(self._published)}]}
        state = {"Status": "running", "Running": True}
        inspected = {"Id": "a-container", "State": state, "NetworkSettings": {"Ports": ports}}
        return web.json_response(inspected)

    async def _start(self, _: web.Request) -> web.Response:
        return web.Response(status=204)

    async def _remove(self, _: web.Request) -> web.Response:
        self.removed += 1
        return web.Response(status=204)


@dataclass(slots=True)
class Published:
    """A port on loopback that greets as RabbitMQ does and then hangs up."""

    port: int = 0
    greeted: int = 0

    async def greet(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.greeted += 1
        writer.write(b"\x01")
        writer.close()


@pytest.fixture
async def published() -> AsyncIterator[Published]:
    published = Published()
    async with await asyncio.start_server(published.greet, "127.0.0.1", 0) as server:
        published.port = server.sockets[0].getsockname()[1]
        yield published


@pytest.fixture
async def engine(published: Published, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeEngine]:
    engine = FakeEngine(published.port)
    runner = web.AppRunner(engine.app())
    await runner.setup()
    await web.UnixSite(runner, str(tmp_path / "docker.sock")).start()
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")
    # What the library would say of this machine; nobody answers there.
    monkeypatch.setattr(testcontainers_config, "tc_host_override", "127.0.0.2")
    monkeypatch.setattr("service.private_broker.container.START_LIMIT", 5.0)
    yield engine
    await runner.cleanup()


async def test_no_other_image_than_rabbitmq_is_asked_for_and_the_container_is_removed(engine: FakeEngine) -> None:
    with pytest.raises(PassedOverError, match="does not answer"):
        await docker_broker(print).__aenter__()
    assert (engine.created, engine.removed) == (["rabbitmq:4-management"], 1)


async def test_the_port_that_is_published_on_loopback_is_preferred(engine: FakeEngine, published: Published) -> None:
    with pytest.raises(PassedOverError, match="does not answer"):
        await docker_broker(print).__aenter__()
    # Once to see whether it is there, once to be greeted, once to log in.
    assert published.greeted == 3
