"""The whole worker in this process, on a real broker and a real endpoint simulator."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from pydantic import SecretStr

from service.adapters.catalogue_file import load_catalogue
from service.app import Worker, assemble
from service.core.facts import ConsumerActive
from service.exit_status import ExitStatus
from service.lifecycle import run
from service.settings import (
    AdminSettings,
    BrokerSettings,
    EndpointSettings,
    LedgerSettings,
    RetrySettings,
    Settings,
    WorkerSettings,
)
from service.simulator.options import SimulatorOptions
from service.simulator.server import Simulator
from tests.support.fakes import RecordingObserver


def settings_for(
    broker_url: str,
    prefix: str,
    base_url: str,
    *,
    concurrency: int = 20,
    timeout: float = 30.0,
    retry: RetrySettings | None = None,
    heartbeat: float = 10.0,
    ledger: str = "none",
    worker: WorkerSettings | None = None,
) -> Settings:
    return Settings(
        broker=BrokerSettings(url=SecretStr(broker_url), prefix=prefix, heartbeat=heartbeat, reconnect_cap=1.0),
        endpoint=EndpointSettings(base_url=base_url, api_key=SecretStr("test-key"), timeout=timeout),
        worker=worker or WorkerSettings(concurrency=concurrency),
        ledger=LedgerSettings(url=SecretStr(ledger)),
        # Short of every wait queue: what the first tier cannot do ends in an error, unless a test wants it otherwise.
        retry=retry or RetrySettings(base=0.01, max_age=1.0),
        admin=AdminSettings(host="127.0.0.1", port=0),
    )


@asynccontextmanager
async def simulated_endpoint(**options: float) -> AsyncIterator[Simulator]:
    async with Simulator(SimulatorOptions(**options), load_catalogue(None)) as simulator:  # type: ignore[arg-type] # numbers only
        yield simulator


@dataclass(slots=True)
class Running:
    """A worker at work; `facts` is what it reported."""

    worker: Worker
    facts: RecordingObserver
    task: asyncio.Task[ExitStatus]

    async def consuming(self, times: int = 1) -> None:
        await self.facts.until(lambda: self.facts.facts.count(ConsumerActive(active=True)) >= times, guard=30)

    async def stop(self) -> ExitStatus:
        self.worker.drain.begin()
        return await self.task


@asynccontextmanager
async def running_worker(settings: Settings) -> AsyncIterator[Running]:
    facts = RecordingObserver()
    async with assemble(settings, facts) as worker:
        task = asyncio.create_task(run(worker))
        running = Running(worker, facts, task)
        try:
            await running.consuming()
            yield running
        finally:
            if not task.done():
                await running.stop()
