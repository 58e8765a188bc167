"""A worker in the test's own process: its facts can be waited for, its admin port asked, and its waits pass soon."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from service.adapters.rabbitmq.declare import remove
from service.settings import RetrySettings, Settings, WorkerSettings
from service.settings.value_types import parse_tiers
from tests.support.broker import amqp_client
from tests.support.running import Running, running_worker, settings_for

QUICK_RETRY = RetrySettings(attempts=3, base=0.05, cap=0.2, budget=1.0, max_age=3600.0, tiers=parse_tiers("1s,2s"))
"""Waits of a second or two, and a budget that no test outlives: nothing ends in an error for lack of time."""


def quick_settings(
    broker_url: str,
    prefix: str,
    base_url: str,
    folder: Path,
    *,
    concurrency: int = 8,
    retry: RetrySettings = QUICK_RETRY,
    timeout: float = 10.0,
    heartbeat: float = 10.0,
    probe_first: float = 0.05,
    probe_cap: float = 0.1,
) -> Settings:
    """Set a worker up with a ledger in `folder`."""
    worker = WorkerSettings(concurrency=concurrency, patience=1.0, probe_first=probe_first, probe_cap=probe_cap)
    return settings_for(
        broker_url,
        prefix,
        base_url,
        timeout=timeout,
        retry=retry,
        heartbeat=heartbeat,
        ledger=f"sqlite:///{folder}/ledger.db",
        worker=worker,
    )


@asynccontextmanager
async def worker_at_work(settings: Settings) -> AsyncIterator[Running]:
    """Run a worker that consumes, and clear its queues away at the end."""
    try:
        async with running_worker(settings) as running:
            yield running
    finally:
        async with amqp_client(settings.broker.url.get_secret_value()) as amqp:
            await remove(amqp.channel, settings.topology)


async def ask_admin(running: Running, path: str) -> tuple[int, str]:
    """Ask the admin port, such as `/readyz`, and return status and body."""
    base = f"http://127.0.0.1:{running.worker.admin.port}"
    async with httpx.AsyncClient(base_url=base, trust_env=False, timeout=10.0) as client:
        response = await client.get(path)
    return response.status_code, response.text


async def metric(running: Running, series: str) -> float:
    """Read one series, such as `videogen_consumption_paused{reason="blocked"}`."""
    _, text = await ask_admin(running, "/metrics")
    return next(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(f"{series} "))
