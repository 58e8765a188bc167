"""A RabbitMQ node of our own, started from the machine's rabbitmq-server."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from service.private_broker.broker import BrokerKind, NoBrokerError
from service.private_broker.installation import Installation
from service.private_broker.keeper_client import KeeperClient, keeping
from service.private_broker.node_files import NodeFiles, create_node_files
from service.private_broker.probe import NoAnswerError, wait_for_version

START_LIMIT = 60.0
STATUS_INTERVAL = 0.25


class ControlError(Exception):
    """rabbitmqctl refused; the message is what it printed."""


class Node:
    """Can be stopped, killed and started again; address and data stay the same."""

    def __init__(self, files: NodeFiles, installation: Installation, keeper: KeeperClient) -> None:
        self._files = files
        self._installation = installation
        self._keeper = keeper
        self._version = ""

    @property
    def url(self) -> str:
        """The AMQP address, credentials included."""
        return f"amqp://guest:guest@127.0.0.1:{self._files.amqp}/"

    @property
    def kind(self) -> BrokerKind:
        """Always `BrokerKind.NODE`."""
        return BrokerKind.NODE

    @property
    def version(self) -> str:
        """The RabbitMQ version, as the server told it at its last start."""
        return self._version

    async def start(self) -> None:
        """Start and wait until the node lets a client in.

        Raises:
            NoBrokerError: the node ended, or let nobody in for 60 s; with an excerpt of its log.
        """
        await self._keeper.ask("start")
        answering = asyncio.create_task(wait_for_version(self.url, START_LIMIT))
        ended = asyncio.create_task(self._wait_for_end())
        try:
            await asyncio.wait({answering, ended}, return_when=asyncio.FIRST_COMPLETED)
            if not answering.done():
                raise NoBrokerError(f"The private RabbitMQ node ended as it started.{self._log()}")
            self._version = answering.result()
        except NoAnswerError as error:
            raise NoBrokerError(f"The private RabbitMQ node did not start: {error}.{self._log()}") from error
        finally:
            answering.cancel()
            ended.cancel()
            await asyncio.gather(answering, ended, return_exceptions=True)

    async def stop(self) -> None:
        """Shut down in good order. Durable queues and their persistent messages stay in the folder."""
        await self._keeper.ask("stop")

    async def kill(self) -> None:
        """End the node with SIGKILL, as a crash would."""
        await self._keeper.ask("kill")

    async def restart(self) -> None:
        """Stop, then start."""
        await self.stop()
        await self.start()

    async def run_ctl(self, *arguments: str) -> str:
        """Run `rabbitmqctl` against this node and return what it prints.

        Raises:
            ControlError: it failed.
        """
        process = await asyncio.create_subprocess_exec(
            self._installation.control,
            *arguments,
            env=self._files.environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, problem = await process.communicate()
        if process.returncode != 0:
            raise ControlError(f"rabbitmqctl {' '.join(arguments)}: {problem.decode().strip()}")
        return output.decode()

    async def _wait_for_end(self) -> None:
        while True:
            if not await self._keeper.ask("status"):
                return
            await asyncio.sleep(STATUS_INTERVAL)

    def _log(self) -> str:
        return f" From its log:\n{self._files.log_excerpt()}"


@asynccontextmanager
async def running_node(
    installation: Installation, plugins: Sequence[str] = (), configuration: Mapping[str, str] | None = None
) -> AsyncIterator[Node]:
    """Run a node that ends with the context, its folder with it; also if this process is killed.

    `configuration` holds further lines of `rabbitmq.conf` (`{"consumer_timeout": "20000"}`).

    Raises:
        NoBrokerError: the node did not start.
    """
    try:
        files = create_node_files(plugins, configuration or {})
    except OSError as error:
        raise NoBrokerError(f"A private RabbitMQ node has no place here: {error}") from error
    try:
        async with keeping(files.folder, installation.epmd, installation.server, files.environment) as keeper:
            node = Node(files, installation, keeper)
            await node.start()
            yield node
    finally:
        shutil.rmtree(files.folder, ignore_errors=True)
