"""Who is measured, and how each is started."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import StrEnum
from pathlib import Path

from tests.bench.job import Job
from tests.bench.program import Program, program
from tests.bench.queues import Queues
from tests.bench.stage import Stage
from tests.support.environment import environment


class Rival(StrEnum):
    """The worker by its ledger, and what it is compared with."""

    NONE = "none"
    SQLITE = "sqlite"
    REDIS = "redis"
    BARE = "bare"
    LEAN = "lean"
    FASTSTREAM = "faststream"

    @property
    def called(self) -> str:
        return _TITLES[self]

    @property
    def ours(self) -> bool:
        return self in OURS


OURS = (Rival.NONE, Rival.SQLITE, Rival.REDIS)
_TITLES = {
    Rival.NONE: "worker, no ledger",
    Rival.SQLITE: "worker, SQLite",
    Rival.REDIS: "worker, Redis",
    Rival.BARE: "bare loop",
    Rival.LEAN: "bare loop, no client",
    Rival.FASTSTREAM: "FastStream + httpx",
}


@asynccontextmanager
async def started(
    stage: Stage, rival: Rival, queues: Queues, base_url: str, in_flight: int, **settings: str
) -> AsyncIterator[Program]:
    """Run a rival; `settings` (`VIDEOGEN_…`) are for the worker alone."""
    if rival.ours:
        values = worker_environment(stage, rival, queues, base_url, in_flight) | settings
        running = program("service", "run", folder=stage.folder, environment=values)
    else:
        module = {Rival.BARE: "bare_loop", Rival.LEAN: "lean_loop", Rival.FASTSTREAM: "faststream_httpx"}[rival]
        job = Job(stage.broker_url, queues.topology.requests, queues.replies, base_url, in_flight)
        running = program(f"tests.bench.{module}", job.as_argument(), folder=stage.folder)
    async with running as process:
        yield process


def ledger_file(stage: Stage, queues: Queues) -> Path:
    return stage.folder / f"{queues.topology.prefix}.db"


def worker_environment(stage: Stage, rival: Rival, queues: Queues, base_url: str, in_flight: int) -> dict[str, str]:
    """Settings as they are by default, but for addresses and the number of calls in flight."""
    prefix = queues.topology.prefix
    ledger = {
        Rival.NONE: lambda: "none",
        Rival.SQLITE: lambda: f"sqlite:///{ledger_file(stage, queues)}",
        Rival.REDIS: stage.empty_redis,
    }[rival]()
    return environment(
        stage.broker_url,
        prefix,
        base_url,
        VIDEOGEN_LEDGER__URL=ledger,
        VIDEOGEN_WORKER__CONCURRENCY=str(in_flight),
    )
