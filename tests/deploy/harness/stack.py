"""A compose project of a test's own: other names, other ports, removed with its volumes."""

import json
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from service.private_broker.free_ports import free_ports
from tests.deploy.harness.command import ROOT, attempt, run
from tests.deploy.harness.page import typed
from tests.deploy.harness.smoke import Smoke, smoke
from tests.docs.pages import Block

COMPOSE_FILE = ROOT / "docker-compose.yml"
PORTS = ("AMQP_PORT", "MANAGEMENT_PORT", "SIMULATOR_PORT", "WORKER_PORTS", "PROMETHEUS_PORT", "GRAFANA_PORT")
_SIMULATOR = "http://127.0.0.1:9090/_sim"

# Without a proxy, which the engine may have set in the container.
_ASK = """
import sys, urllib.request
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
request = urllib.request.Request(sys.argv[2], method=sys.argv[1])
sys.stdout.write(opener.open(request, timeout=10).read().decode())
"""


class Stack:
    """The services of docker-compose.yml under other names."""

    def __init__(self, docker: str, overrides: Path, revision: str) -> None:
        self.docker = docker
        self.project = f"videogen-test-{uuid4().hex[:12]}"
        self.image = f"{self.project}-worker"
        (self.amqp_port,) = free_ports(1)
        self._environment: Mapping[str, str] = {
            "COMPOSE_PROJECT_NAME": self.project,
            "COMPOSE_FILE": f"{COMPOSE_FILE}:{overrides}",
            "COMPOSE_PROFILES": "",
            "WORKER_IMAGE": self.image,
            "REVISION": revision,
            # Each takes any that is free.
            **dict.fromkeys(PORTS, "0"),
            # For examples of the pages, which run outside.
            "AMQP_PORT": str(self.amqp_port),
        }

    def compose(self, *arguments: str) -> str:
        return run(self.docker, "compose", *arguments, environment=self._environment)

    def typed(self, block: Block, *, first: str = "") -> str:
        """Run a block of a page, after `first`, and return what it printed."""
        return typed(block, self._environment, first=first)

    def running(self, service: str) -> list[str]:
        """The ids of the containers of a service."""
        return self.compose("ps", "--quiet", "--status", "running", service).split()

    def smoke(self, *arguments: str) -> AbstractContextManager[Smoke]:
        """Begin to send requests."""
        return smoke(*arguments, environment=self._environment)

    def ask(self, url: str, method: str = "GET") -> str:
        """Send an HTTP request from inside the project: it needs no published port, nor an engine on this host."""
        # Without compose, which takes longer than the answer: this is asked again and again.
        return run(self.docker, "exec", f"{self.project}-simulator-1", "python", "-c", _ASK, method, url)

    def record(self) -> dict[str, Any]:
        """What the simulated endpoint counted."""
        summary: dict[str, Any] = json.loads(self.ask(f"{_SIMULATOR}/summary"))
        return summary

    def forget(self) -> None:
        """Have the simulated endpoint begin its record anew, and hold calls again."""
        self.ask(f"{_SIMULATOR}/record", "DELETE")

    def release(self) -> None:
        """Have the simulated endpoint answer the calls that it holds, and hold no more."""
        self.ask(f"{_SIMULATOR}/release?for_good=true", "POST")

    def query(self, expression: str) -> list[dict[str, str]]:
        """Ask Prometheus for the labels of each series that `expression` has now."""
        answer = json.loads(self.ask(f"http://prometheus:9090/api/v1/query?query={quote(expression)}"))
        return [series["metric"] for series in answer["data"]["result"]]

    def last_words(self) -> str:
        """The newest lines of each log."""
        return attempt(self.docker, "compose", "logs", "--no-color", "--tail=15", environment=self._environment).stdout

    def remove(self) -> None:
        """Remove all containers, with those that a script which was cut has left, networks, volumes and the image."""
        attempt(
            *(self.docker, "compose", "down", "--volumes", "--remove-orphans", "--timeout", "0"),
            environment=self._environment,
        )
        attempt(self.docker, "image", "rm", self.image)


@contextmanager
def stack_to_be(docker: str, overrides: Path, revision: str = "unknown") -> Iterator[Stack]:
    """Have a stack of which nothing is started; what is started until the end is removed then."""
    stack = Stack(docker, overrides, revision)
    try:
        yield stack
    except BaseException as error:
        error.add_note(stack.last_words())
        raise
    finally:
        stack.remove()


@contextmanager
def running_stack(docker: str, overrides: Path, *services: str, revision: str = "unknown") -> Iterator[Stack]:
    """Build the image, start these services and what they need, and wait until all are healthy."""
    with stack_to_be(docker, overrides, revision) as stack:
        stack.compose("up", "--build", "--detach", "--wait", *services)
        yield stack
