"""The ways to a broker, tried in order until one holds."""

import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

from service.private_broker.broker import Broker, NoBrokerError, PassedOverError, Say
from service.private_broker.container import docker_broker
from service.private_broker.debian import install_rabbitmq
from service.private_broker.given import VARIABLE, given_broker, without_credentials
from service.private_broker.installation import SYSTEM_PATHS, USUAL_PLACES, find_installation
from service.private_broker.node import Node, running_node

ADVICE = f"""There is no RabbitMQ to use. Do one of these:
  - install rabbitmq-server (`sudo apt-get install rabbitmq-server`, or `brew install rabbitmq`)
  - start Docker, and install the extra: `pip install 'videogen-worker[docker]'`
  - set {VARIABLE} to the address of a broker, such as amqp://guest:guest@127.0.0.1:5672/
What was tried:
"""

B_co = TypeVar("B_co", bound=Broker, covariant=True)


@dataclass(frozen=True, slots=True)
class Rung(Generic[B_co]):
    """One way to a broker. Entering `open` raises PassedOverError where the way is closed."""

    name: str
    open: Callable[[Say], AbstractAsyncContextManager[B_co]]


@asynccontextmanager
async def private_broker(say: Say) -> AsyncIterator[Broker]:
    """Run, or find, a broker: the given one, a Docker container, a private node, a freshly installed one.

    `say` gets one line for each way that was passed over and one for the broker in use.

    Raises:
        NoBrokerError: no way is open; the message says what to install.
    """
    async with first_open(broker_rungs(), say) as broker:
        yield broker


@asynccontextmanager
async def private_node(
    say: Say, *, plugins: Sequence[str] = (), configuration: Mapping[str, str] | None = None
) -> AsyncIterator[Node]:
    """Run a node that can be stopped, killed and started again, whatever other brokers there are.

    `plugins` are names such as `rabbitmq_management`; `configuration` holds further lines of `rabbitmq.conf`.

    Raises:
        NoBrokerError: RabbitMQ is not installed and cannot be, or the node did not start.
    """
    async with first_open(node_rungs(plugins, configuration), say) as node:
        yield node


def broker_rungs(*, path: str | None = None, usual_places: Sequence[str] = USUAL_PLACES) -> tuple[Rung[Broker], ...]:
    """List all ways to a broker; those to a private node as `node_rungs` has them."""
    return (
        Rung("given address", given_broker),
        Rung("Docker", docker_broker),
        *node_rungs(path=path, usual_places=usual_places),
    )


def node_rungs(
    plugins: Sequence[str] = (),
    configuration: Mapping[str, str] | None = None,
    *,
    path: str | None = None,
    usual_places: Sequence[str] = USUAL_PLACES,
) -> tuple[Rung[Node], ...]:
    """List the ways to a private node, for programs on `path` (the environment's by default)."""
    search_path = f"{os.environ.get('PATH', os.defpath)}:{SYSTEM_PATHS}" if path is None else path

    @asynccontextmanager
    async def installed(_say: Say) -> AsyncIterator[Node]:
        installation = find_installation(search_path, usual_places)
        async with running_node(installation, plugins, configuration) as node:
            yield node

    @asynccontextmanager
    async def freshly_installed(say: Say) -> AsyncIterator[Node]:
        await install_rabbitmq(search_path, say)
        async with installed(say) as node:
            yield node

    return (Rung("private node", installed), Rung("apt-get", freshly_installed))


@asynccontextmanager
async def first_open(rungs: Sequence[Rung[B_co]], say: Say) -> AsyncIterator[B_co]:
    """Open the first of `rungs` that can be opened.

    Raises:
        NoBrokerError: none can; or one that was chosen failed.
    """
    reasons: list[str] = []
    for rung in rungs:
        async with AsyncExitStack() as stack:
            try:
                broker = await stack.enter_async_context(rung.open(say))
            except PassedOverError as reason:
                say(f"Broker: {rung.name} passed over: {reason}")
                reasons.append(f"  - {rung.name}: {reason}")
                continue
            say(f"Broker: RabbitMQ {broker.version} ({rung.name}) at {without_credentials(broker.url)}")
            yield broker
            return
    raise NoBrokerError(ADVICE + "\n".join(reasons))
