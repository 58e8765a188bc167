import os
import signal
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from service.private_broker import Broker, NoBrokerError, Node, private_broker, private_node
from service.private_broker.broker import PassedOverError
from service.private_broker.container import engine_answers
from service.private_broker.given import VARIABLE
from service.private_broker.installation import SYSTEM_PATHS, Installation, find_installation
from tests.support.broker import BROKER_LINES, Amqp, amqp_client, announce, entered, remove_topology
from tests.support.private_redis import NoRedisError, RedisServer, given_url, private_redis
from tests.support.spans import SpanMemory, span_memory

if TYPE_CHECKING:
    from xdist.workermanage import WorkerController

# A shell that starts us in the background lets us ignore SIGINT, and every process that we start would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

BROKER = pytest.StashKey[Broker | NoBrokerError]()
REDIS = pytest.StashKey[RedisServer | NoRedisError]()


@pytest.hookimpl(wrapper=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, object, object]:
    """Run one broker and one Redis around all tests, if any wants them.

    Not as fixtures: installing RabbitMQ or Redis may take longer than the time that a test and its fixtures have.
    """
    wanted = {name for item in session.items for name in getattr(item, "fixturenames", ())}
    if session.config.option.collectonly:
        return (yield)
    with ExitStack() as stack:
        if "broker" in wanted:
            try:
                broker = private_broker(lambda line: announce(session.config, line))
                session.stash[BROKER] = stack.enter_context(entered(broker))
            except NoBrokerError as error:
                session.stash[BROKER] = error
        if "redis_server" in wanted or ("redis_url" in wanted and given_url() is None):
            try:
                server = private_redis(lambda line: announce(session.config, line))
                session.stash[REDIS] = stack.enter_context(server)
            except NoRedisError as error:
                session.stash[REDIS] = error
        return (yield)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(config: pytest.Config) -> None:
    """Install RabbitMQ once, before processes start that would each install it at the same time."""
    if not _another_broker_is_in_use() and not _rabbitmq_is_installed():
        with suppress(NoBrokerError), entered(private_broker(lambda line: announce(config, line))):
            pass


def pytest_sessionfinish(session: pytest.Session) -> None:
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["broker lines"] = session.config.stash.get(BROKER_LINES, [])


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: "WorkerController") -> None:
    """Take over what a process of the run had to say of its broker."""
    lines = node.config.stash.setdefault(BROKER_LINES, [])
    lines += [line for line in getattr(node, "workeroutput", {}).get("broker lines", []) if line not in lines]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    lines = config.stash.get(BROKER_LINES, [])
    if lines:
        terminalreporter.section("broker")
        for line in lines:
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def broker(request: pytest.FixtureRequest) -> Broker:
    """The broker of this session. Without one, every test that asks for it fails."""
    broker = request.session.stash[BROKER]
    if isinstance(broker, NoBrokerError):
        pytest.fail(str(broker), pytrace=False)
    return broker


@pytest.fixture(scope="session")
def broker_url(broker: Broker) -> str:
    return broker.url


@pytest.fixture(scope="session")
def redis_url(request: pytest.FixtureRequest) -> str:
    """The address of a Redis that may be written to. Without one, every test that asks for it fails."""
    return given_url() or _own_redis(request).url


@pytest.fixture
def redis_server(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    """A Redis of our own that may be stopped, killed and frozen; it is up again after the test."""
    server = _own_redis(request)
    yield server
    server.thaw()
    server.start()


def _own_redis(request: pytest.FixtureRequest) -> RedisServer:
    server = request.session.stash[REDIS]
    if isinstance(server, NoRedisError):
        pytest.fail(str(server), pytrace=False)
    return server


@pytest.fixture
async def prefix(broker_url: str) -> AsyncIterator[str]:
    """Names of this test's own exchange and queues; they are deleted after the test."""
    prefix = f"test-{uuid4().hex[:12]}"
    yield prefix
    await remove_topology(broker_url, prefix)


@pytest.fixture
async def amqp(broker_url: str) -> AsyncIterator[Amqp]:
    async with amqp_client(broker_url) as amqp:
        yield amqp


@pytest.fixture
def spans() -> SpanMemory:
    """The spans of this process that end from here on; whatever takes the provider of its program writes them."""
    memory = span_memory()
    memory.clear()
    return memory


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the private node where another broker is in use and RabbitMQ is not installed, and say so.

    On every other machine these tests run: they install RabbitMQ, or fail.
    """
    of_the_node = [item for item in items if "installation" in getattr(item, "fixturenames", ())]
    if not of_the_node or _rabbitmq_is_installed() or not _another_broker_is_in_use():
        return
    items[:] = [item for item in items if item not in of_the_node]
    config.hook.pytest_deselected(items=of_the_node)
    config.stash.setdefault(BROKER_LINES, []).append(
        f"{len(of_the_node)} tests of the private node left out: this run has another broker, "
        "and rabbitmq-server is not installed"
    )


def _rabbitmq_is_installed() -> bool:
    try:
        _installed()
    except PassedOverError:
        return False
    return True


def _installed() -> Installation:
    return find_installation(f"{os.environ['PATH']}:{SYSTEM_PATHS}")


def _another_broker_is_in_use() -> bool:
    return bool(os.environ.get(VARIABLE)) or engine_answers()


@pytest.fixture(scope="session")
def private(pytestconfig: pytest.Config) -> Iterator[Node]:
    """One node for the tests that stop and start it."""
    context = private_node(lambda line: announce(pytestconfig, line), configuration={"consumer_timeout": "20000"})
    with entered(context) as node:
        yield node


@pytest.fixture
def installation(private: Node) -> Installation:
    return _installed()


@pytest.fixture
async def node(private: Node, installation: Installation) -> Node:
    """The node, up, whatever an earlier test did to it."""
    await private.start()
    return private
