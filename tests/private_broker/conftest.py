import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.private_broker import Node, private_node
from service.private_broker.broker import PassedOverError
from service.private_broker.container import engine_answers
from service.private_broker.given import VARIABLE
from service.private_broker.installation import SYSTEM_PATHS, Installation, find_installation
from tests.support.broker import BROKER_LINES, announce, entered


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the private node where another broker is in use and RabbitMQ is not installed, and say so.

    On every other machine these tests run: they install RabbitMQ, or fail.
    """
    of_the_node = [item for item in items if "installation" in getattr(item, "fixturenames", ())]
    if not of_the_node or is_installed() or not another_broker_is_in_use():
        return
    items[:] = [item for item in items if item not in of_the_node]
    config.hook.pytest_deselected(items=of_the_node)
    config.stash.setdefault(BROKER_LINES, []).append(
        f"{len(of_the_node)} tests of the private node left out: this run has another broker, "
        "and rabbitmq-server is not installed"
    )


def is_installed() -> bool:
    try:
        installed()
    except PassedOverError:
        return False
    return True


def installed() -> Installation:
    return find_installation(f"{os.environ['PATH']}:{SYSTEM_PATHS}")


def another_broker_is_in_use() -> bool:
    return bool(os.environ.get(VARIABLE)) or engine_answers()


@pytest.fixture(scope="session")
def private(pytestconfig: pytest.Config) -> Iterator[Node]:
    """One node for the tests that stop and start it."""
    context = private_node(lambda line: announce(pytestconfig, line), configuration={"consumer_timeout": "20000"})
    with entered(context) as node:
        yield node


@pytest.fixture
def installation(private: Node) -> Installation:
    return installed()


@pytest.fixture
async def node(private: Node, installation: Installation) -> Node:
    """The node, up, whatever an earlier test did to it."""
    await private.start()
    return private


def processes_of(folder: Path) -> dict[int, str]:
    """Find the processes that have this folder as their home: process id and command line (Linux)."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if f"HOME={folder}\0".encode() in (process / "environ").read_bytes():
                found[int(process.name)] = (process / "cmdline").read_text()
        except OSError:
            continue
    return found
