"""A RabbitMQ container, where a Docker engine answers. Needs the optional extra `docker`."""

import asyncio
import secrets
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from service.private_broker.broker import BrokerKind, PassedOverError, RunningBroker, Say
from service.private_broker.probe import NoAnswerError, wait_for_version

if TYPE_CHECKING:
    from testcontainers.core.container import DockerContainer

IMAGE, TAG = "rabbitmq", "4-management"
DEFAULT_ENGINE = "unix:///var/run/docker.sock"
ENGINE_LIMIT = 5
PULL_LIMIT = 120.0
START_LIMIT = 60.0
_LOOPBACK = "127.0.0.1"
_PORT = 5672
_USER = "videogen"


@asynccontextmanager
async def docker_broker(say: Say) -> AsyncIterator[RunningBroker]:
    """Run `rabbitmq:4-management` for as long as the context lasts. A process that is killed leaves it running.

    Raises:
        PassedOverError: no testcontainers, no engine, no image within 120 s, or no answer within 60 s.
    """
    password = secrets.token_urlsafe(12)
    await asyncio.to_thread(_require_engine)
    container = await asyncio.to_thread(_start, password, say)
    try:
        url = await asyncio.to_thread(_address, container, password)
        try:
            version = await wait_for_version(url, START_LIMIT)
        except NoAnswerError as error:
            raise PassedOverError(f"the container of {IMAGE}:{TAG} does not answer ({error})") from error
        yield RunningBroker(url, BrokerKind.DOCKER, version)
    finally:
        await asyncio.to_thread(container.stop)


def engine_answers() -> bool:
    """Tell whether Docker can be used here at all."""
    try:
        _require_engine()
    except PassedOverError:
        return False
    return True


def _require_engine() -> None:
    try:
        from testcontainers.core.docker_client import DockerClient, get_docker_host  # noqa: PLC0415 - optional
    except ImportError:
        raise PassedOverError("the extra `docker` is not installed") from None
    try:
        _knock(get_docker_host() or DEFAULT_ENGINE)
        with closing(DockerClient(timeout=ENGINE_LIMIT).client) as client:
            client.ping()
    except Exception as error:
        raise PassedOverError("no Docker engine answers") from error


def _knock(engine: str) -> None:
    # The Docker library leaks the socket when this connection is refused.
    address = urlsplit(engine)
    if address.scheme == "unix":
        with socket.socket(socket.AF_UNIX) as knock:
            knock.settimeout(ENGINE_LIMIT)
            knock.connect(address.path)


def _start(password: str, say: Say) -> "DockerContainer":
    from testcontainers.core.container import DockerContainer  # noqa: PLC0415 - an optional extra

    container = DockerContainer(f"{IMAGE}:{TAG}").with_exposed_ports(_PORT)
    try:
        _pull(say)
        with _no_reaper():
            return container.with_envs(RABBITMQ_DEFAULT_USER=_USER, RABBITMQ_DEFAULT_PASS=password).start()
    except Exception as error:
        # Whatever Docker's libraries raise, the next way is tried.
        container.stop()
        if isinstance(error, PassedOverError):
            raise
        raise PassedOverError(f"{IMAGE}:{TAG} cannot be had or started ({_first_line(error)})") from error


@contextmanager
def _no_reaper() -> Iterator[None]:
    """Start no container that cleans up after ours: its image may be out of reach, and the context cleans up."""
    from testcontainers.core.config import testcontainers_config  # noqa: PLC0415 - an optional extra

    before = testcontainers_config.ryuk_disabled
    testcontainers_config.ryuk_disabled = True
    try:
        yield
    finally:
        testcontainers_config.ryuk_disabled = before


def _pull(say: Say) -> None:
    from testcontainers.core.docker_client import DockerClient  # noqa: PLC0415 - an optional extra

    with closing(DockerClient().client) as client:
        if client.images.list(name=f"{IMAGE}:{TAG}"):
            return
        say(f"Docker: fetching {IMAGE}:{TAG} (at most {PULL_LIMIT:.0f} s)")
        give_up = time.monotonic() + PULL_LIMIT
        for _ in client.api.pull(IMAGE, tag=TAG, stream=True):
            if time.monotonic() > give_up:
                raise PassedOverError(f"{IMAGE}:{TAG} did not arrive within {PULL_LIMIT:.0f} s")


def _address(container: "DockerContainer", password: str) -> str:
    exposed = container.get_exposed_port(_PORT)
    published = int(container.get_docker_client().port(container.get_container_id(), _PORT))
    # The address that Docker's library finds out may lead through a gateway that is closed to us.
    host, port = (_LOOPBACK, published) if _listens(published) else (container.get_container_host_ip(), exposed)
    return f"amqp://{_USER}:{password}@{host}:{port}/"


def _listens(port: int) -> bool:
    try:
        with socket.create_connection((_LOOPBACK, port), ENGINE_LIMIT):
            return True
    except OSError:
        return False


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
