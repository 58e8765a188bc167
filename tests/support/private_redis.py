"""A Redis of the tests' own, which can be stopped, killed, frozen and started again."""

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import redis

from service.private_broker.broker import Say
from service.private_broker.container import engine_answers
from service.private_broker.free_ports import free_ports
from tests.support.debian_program import find_or_install

if TYPE_CHECKING:
    from testcontainers.core.container import DockerContainer

VARIABLE = "VIDEOGEN_TEST_REDIS_URL"
IMAGE = "redis:8"
PACKAGE = "redis-server"
START_LIMIT = 30.0
POLL_INTERVAL = 0.02


class NoRedisError(Exception):
    """There is no Redis to be had; the message says what to install."""


class RedisServer(Protocol):
    """A Redis with controls. It keeps its records (appendonly) and its address over a restart."""

    @property
    def url(self) -> str: ...

    def start(self) -> None:
        """Come back when it answers. Harmless where it runs."""

    def stop(self) -> None: ...

    def kill(self) -> None: ...

    def freeze(self) -> None:
        """Let it answer nothing any more, with its connections open."""

    def thaw(self) -> None: ...


class RedisProcess:
    """A `redis-server` of our own."""

    def __init__(self, program: str, folder: Path) -> None:
        (self._port,) = free_ports(1)
        self._command = (
            *(program, "--port", str(self._port), "--bind", "127.0.0.1", "--dir", str(folder)),
            *("--appendonly", "yes", "--save", "", "--logfile", str(folder / "redis.log")),
        )
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._port}/0"

    def start(self) -> None:
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        wait_for_answer(self.url)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def _end(self, how: signal.Signals) -> None:
        self._signal(how)
        # A frozen process hears SIGTERM only when it goes on.
        self._signal(signal.SIGCONT)
        if self._process is not None:
            self._process.wait(START_LIMIT)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)


class RedisContainer:
    """A container, where a Docker engine answers."""

    def __init__(self, container: "DockerContainer", port: int) -> None:
        self._container = container.get_wrapped_container()
        self._port = port

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._port}/0"

    def start(self) -> None:
        self._container.start()
        wait_for_answer(self.url)

    def stop(self) -> None:
        self._container.stop()

    def kill(self) -> None:
        self._container.kill()

    def freeze(self) -> None:
        self._container.pause()

    def thaw(self) -> None:
        self._container.reload()
        if self._container.status == "paused":
            self._container.unpause()


def given_url() -> str | None:
    """Tell which Redis this run was given, if any."""
    return os.environ.get(VARIABLE) or None


def wait_for_answer(url: str) -> None:
    """Come back when a Redis that is being started lets us in."""
    give_up = time.monotonic() + START_LIMIT
    with redis.Redis.from_url(url, socket_timeout=1.0) as client:
        while True:
            try:
                client.ping()
            except (redis.RedisError, OSError) as error:
                if time.monotonic() > give_up:
                    raise NoRedisError(f"the Redis at {url} does not answer within {START_LIMIT:.0f} s") from error
                time.sleep(POLL_INTERVAL)
            else:
                return


@contextmanager
def private_redis(say: Say) -> Iterator[RedisServer]:
    """Run `redis-server`: the one on PATH, a freshly installed one, or a container.

    Raises:
        NoRedisError: none of these can be had.
    """
    program = find_or_install(PACKAGE, PACKAGE, say)
    if program is not None:
        with _process(program) as server:
            yield server
    elif engine_answers():
        with _container() as container:
            yield container
    else:
        raise NoRedisError(
            f"There is no Redis for the tests: install {PACKAGE} (`sudo apt-get install {PACKAGE}`, or "
            f"`brew install redis`), start Docker, or set {VARIABLE} to the address of one that may be written to."
        )


@contextmanager
def _process(program: str) -> Iterator[RedisProcess]:
    with tempfile.TemporaryDirectory(prefix="videogen-redis-") as folder:
        server = RedisProcess(program, Path(folder))
        try:
            server.start()
            yield server
        finally:
            server.kill()


@contextmanager
def _container() -> Iterator[RedisContainer]:
    from testcontainers.core.container import DockerContainer  # noqa: PLC0415 - an optional extra

    (port,) = free_ports(1)
    container = DockerContainer(IMAGE).with_bind_ports(6379, port).with_command("redis-server --appendonly yes")
    with container:
        server = RedisContainer(container, port)
        wait_for_answer(server.url)
        yield server
