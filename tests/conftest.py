from collections.abc import AsyncIterator, Generator
from contextlib import ExitStack
from uuid import uuid4

import pytest

from service.private_broker import Broker, NoBrokerError, private_broker
from tests.support.broker import BROKER_LINES, Amqp, amqp_client, announce, entered, remove_topology

BROKER = pytest.StashKey[Broker | NoBrokerError]()


@pytest.hookimpl(wrapper=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, object, object]:
    """Run one broker around all tests, if any wants it.

    Not as a fixture: installing RabbitMQ may take longer than the time that a test and its fixtures have.
    """
    wanted = any("broker" in getattr(item, "fixturenames", ()) for item in session.items)
    if not wanted or session.config.option.collectonly:
        return (yield)
    with ExitStack() as stack:
        try:
            broker = private_broker(lambda line: announce(session.config, line))
            session.stash[BROKER] = stack.enter_context(entered(broker))
        except NoBrokerError as error:
            session.stash[BROKER] = error
        return (yield)


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
