"""A Redis that asks its clients for certificates and a password."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from urllib.parse import quote

from service.private_broker.broker import Say
from service.private_broker.free_ports import free_ports
from tests.deploy.tls.papers import Pair
from tests.support.debian_program import find_or_install
from tests.support.private_redis import PACKAGE, POLL_INTERVAL, START_LIMIT, NoRedisError

READY = "Ready to accept connections"


@dataclass(slots=True)
class SecureRedis:
    """A process of our own; `port` and `password` stay the same over a restart."""

    program: str
    folder: Path
    port: int
    password: str
    process: subprocess.Popen[bytes] | None = None

    def url(self, host: str = "localhost", scheme: str = "rediss") -> str:
        return f"{scheme}://:{quote(self.password, safe='')}@{host}:{self.port}/0"

    def start(self, server: Pair, clients: Path) -> None:
        """Start, or start again, with these files."""
        self.stop()
        log = self.folder / "redis.log"
        log.write_text("")
        files = ("--tls-cert-file", server.certificate, "--tls-key-file", server.key, "--tls-ca-cert-file", clients)
        self.process = subprocess.Popen(
            (
                *(self.program, "--port", "0", "--tls-port", str(self.port), "--bind", "127.0.0.1", *files),
                *("--requirepass", self.password, "--save", "", "--dir", self.folder, "--logfile", log),
            ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        give_up = monotonic() + START_LIMIT
        while READY not in log.read_text():
            if monotonic() > give_up or self.process.poll() is not None:
                raise NoRedisError(f"redis-server with TLS does not start:\n{log.read_text()}")
            sleep(POLL_INTERVAL)

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(START_LIMIT)


@contextmanager
def secure_redis(folder: Path, say: Say, password: str) -> Iterator[SecureRedis]:
    """Give one that was not started yet.

    Raises:
        NoRedisError: there is no redis-server, and none can be installed.
    """
    program = find_or_install(PACKAGE, PACKAGE, say)
    if program is None:
        raise NoRedisError(f"There is no {PACKAGE} for the tests: install it (`sudo apt-get install {PACKAGE}`)")
    (port,) = free_ports(1)
    server = SecureRedis(program, folder, port, password)
    try:
        yield server
    finally:
        server.stop()
