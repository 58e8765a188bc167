"""Puts the demo's parts up: a private broker, the simulated endpoint in this process, the worker in its own."""

import asyncio
import os
import secrets
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
from pydantic import SecretStr

from service.adapters.catalogue_file import load_catalogue
from service.adapters.rabbitmq.configured import link_options_of
from service.adapters.rabbitmq.connect import open_connection
from service.adapters.rabbitmq.declare import remove
from service.adapters.rabbitmq.errors import LinkLost, link_errors
from service.core.topology import Topology
from service.private_broker.broker import Broker, BrokerKind, Say
from service.private_broker.free_ports import free_ports
from service.private_broker.ladder import private_broker
from service.settings import BrokerSettings, RetrySettings
from service.simulator.options import SimulatorOptions
from service.simulator.server import Simulator

_READY_TIMEOUT = 60.0
_READY_INTERVAL = 0.1
_STOP_TIMEOUT = 75.0
_LOG_TAIL = 20


class StageError(Exception):
    """A part of the demo did not come up; the message says which, with the end of its log."""


@dataclass(slots=True)
class WorkerProcess:
    """The worker as a process of its own, as in production."""

    process: asyncio.subprocess.Process
    admin_url: str
    log: Path

    async def wait_ready(self) -> None:
        """Wait until `/readyz` says that it consumes.

        Raises:
            StageError: it exited, or did not become ready in time.
        """
        why = "it did not answer"
        async with httpx.AsyncClient(trust_env=False) as client:
            for _ in range(round(_READY_TIMEOUT / _READY_INTERVAL)):
                if self.process.returncode is not None:
                    raise StageError(f"The worker exited with status {self.process.returncode}.\n{self.log_tail()}")
                with suppress(httpx.TransportError):
                    answer = await client.get(f"{self.admin_url}/readyz")
                    if answer.is_success:
                        return
                    why = answer.text
                await asyncio.sleep(_READY_INTERVAL)
        raise StageError(f"The worker was not ready within {_READY_TIMEOUT:g} s: {why}\n{self.log_tail()}")

    async def metrics(self) -> str:
        """Read `/metrics`."""
        async with httpx.AsyncClient(trust_env=False) as client:
            return (await client.get(f"{self.admin_url}/metrics")).text

    async def stop(self) -> int:
        """Send SIGTERM and return the exit status.

        Raises:
            StageError: it did not end in time.
        """
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(_STOP_TIMEOUT):
                return await self.process.wait()
        except TimeoutError:
            raise StageError(f"The worker did not end within {_STOP_TIMEOUT:g} s.\n{self.log_tail()}") from None

    def log_tail(self) -> str:
        """Return the last lines of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-_LOG_TAIL:])


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything that is up."""

    broker: Broker
    simulator: Simulator
    worker: WorkerProcess
    prefix: str


@asynccontextmanager
async def raise_stage(say: Say) -> AsyncIterator[Stage]:
    """Put all parts up, and take them down again.

    Raises:
        NoBrokerError: no broker is to be had; the message says what to install.
        StageError: the worker did not start.
    """
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="videogen-demo-")))
        broker = await stack.enter_async_context(private_broker(say))
        simulator = await stack.enter_async_context(Simulator(SimulatorOptions(), load_catalogue(None)))
        say(f"Endpoint: simulated at {simulator.base_url}")
        # A name of its own, so that the demo never meets another worker's queues on a broker that was given.
        prefix = f"videogen-demo-{secrets.token_hex(3)}"
        say(f"Queues: {prefix}.*")
        if broker.kind is BrokerKind.GIVEN:
            stack.push_async_callback(_remove_objects, broker.url, prefix, say)
        worker = await stack.enter_async_context(_worker(broker, simulator, prefix, folder))
        say(f"Worker: process {worker.process.pid}, admin port {worker.admin_url}")
        await worker.wait_ready()
        yield Stage(broker, simulator, worker, prefix)


async def _remove_objects(url: str, prefix: str, say: Say) -> None:
    broker = BrokerSettings(url=SecretStr(url), prefix=prefix)
    try:
        async with open_connection(link_options_of(broker)) as connection:
            with link_errors():
                await remove(await connection.channel(), Topology(prefix, RetrySettings().tiers))
    except LinkLost as error:
        say(f"The queues {prefix}.* are still there: {error}.")


@asynccontextmanager
async def _worker(broker: Broker, simulator: Simulator, prefix: str, folder: Path) -> AsyncIterator[WorkerProcess]:
    log = folder / "worker.log"
    (port,) = free_ports(1)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("VIDEOGEN_")} | {
        "VIDEOGEN_BROKER__URL": broker.url,
        "VIDEOGEN_BROKER__PREFIX": prefix,
        "VIDEOGEN_ENDPOINT__BASE_URL": simulator.base_url,
        "VIDEOGEN_ENDPOINT__API_KEY": "demo-key",
        "VIDEOGEN_ADMIN__HOST": "127.0.0.1",
        "VIDEOGEN_ADMIN__PORT": str(port),
        # A folder without secret files, so that those of this machine do not count.
        "VIDEOGEN_SECRETS_DIR": str(folder),
    }
    with log.open("wb") as sink:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "service",
            env=environment,
            stdout=sink,
            stderr=sink,
            cwd=folder,
            # Ctrl-C in a terminal reaches every process of our group; the worker would take our SIGTERM as its
            # second signal and give up its drain.
            process_group=0,
        )
    worker = WorkerProcess(process, f"http://127.0.0.1:{port}", log)
    try:
        yield worker
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
