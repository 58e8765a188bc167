"""A worker with the user of the definitions, in the test's own process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from pydantic import SecretStr

from service.core.facts import LinkDown
from service.settings import RetrySettings, Settings, WorkerSettings
from service.simulator.server import Simulator
from tests.deploy.rabbitmq.definitions import DEFAULTS
from tests.deploy.rabbitmq.stand import MONITOR, WORKER, Stand
from tests.support.running import Running, running_worker, settings_for, simulated_endpoint


def settings_on(stand: Stand, base_url: str, folder: Path) -> Settings:
    """The settings of a worker with the user of the definitions, which finds its queues made."""
    settings = settings_for(
        stand.url(WORKER),
        DEFAULTS.broker.prefix,
        base_url,
        ledger=f"sqlite:///{folder}/ledger.db",
        retry=RetrySettings(attempts=3, base=0.01),
        worker=WorkerSettings(concurrency=20, probe_first=0.1, probe_cap=0.2),
    )
    management_url = SecretStr(stand.management_url(MONITOR))
    broker = settings.broker.model_copy(update={"declare": False, "management_url": management_url})
    return settings.model_copy(update={"broker": broker})


@asynccontextmanager
async def worker_on(stand: Stand, folder: Path) -> AsyncIterator[tuple[Running, Simulator]]:
    """Run a worker, which must never be refused anything: the broker closes the channel of whoever is."""
    async with simulated_endpoint() as simulator:
        async with running_worker(settings_on(stand, simulator.base_url, folder)) as running:
            yield running, simulator
        assert running.facts.of(LinkDown) == []
