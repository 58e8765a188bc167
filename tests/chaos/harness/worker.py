"""A worker process that can be killed and started again, with settings that let waits pass soon."""

import signal
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import httpx

from service.private_broker.free_ports import free_ports
from tests.chaos.harness.child import Child, spawn

CONSUMING = "consumer active"
TIERS = "1s,2s,4s"
CALL_LIMIT = 2.0
PATIENCE = 1.0
LEASE = CALL_LIMIT + PATIENCE

QUICK: Mapping[str, str] = {
    "VIDEOGEN_BROKER__RECONNECT_CAP": "1s",
    "VIDEOGEN_BROKER__PUBLISH_TIMEOUT": "10s",
    "VIDEOGEN_ENDPOINT__TIMEOUT": f"{CALL_LIMIT}",
    "VIDEOGEN_ENDPOINT__CONNECT_TIMEOUT": "1s",
    "VIDEOGEN_WORKER__PATIENCE": f"{PATIENCE}",
    "VIDEOGEN_WORKER__DRAIN_TIMEOUT": "20s",
    "VIDEOGEN_WORKER__PROBE_FIRST": "1s",
    "VIDEOGEN_WORKER__PROBE_CAP": "2s",
    "VIDEOGEN_RETRY__ATTEMPTS": "3",
    "VIDEOGEN_RETRY__BASE": "0.1",
    "VIDEOGEN_RETRY__CAP": "1s",
    "VIDEOGEN_RETRY__BUDGET": "5s",
    "VIDEOGEN_RETRY__TIERS": TIERS,
    "VIDEOGEN_LEDGER__TIMEOUT": "2s",
}
"""A lease of a few seconds and short wait queues; the relations between settings hold."""


class WorkerProcess:
    """One place for a worker: one run after another, under one name, with one admin port. `kills` are instants."""

    def __init__(
        self, name: str, environment: Mapping[str, str], folder: Path, started: Callable[[Child], None]
    ) -> None:
        self.name = name
        self._folder = folder
        self._started = started
        (port,) = free_ports(1)
        self._environment = {**QUICK, **environment, "VIDEOGEN_ADMIN__PORT": str(port)}
        self._admin = f"http://127.0.0.1:{port}"
        self._child: Child | None = None
        self._taken_down = False
        self.kills: list[datetime] = []

    @property
    def child(self) -> Child:
        """The latest run."""
        assert self._child is not None, "start it first"
        return self._child

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.running

    @property
    def died(self) -> bool:
        """Whether its latest run ended although nobody wanted it to."""
        return self._child is not None and not self._child.running and not self._taken_down

    async def start(self, **settings: str) -> None:
        """Start a run; `settings` (`VIDEOGEN_…`) change from this run on. Comes back before it consumes."""
        assert not self.running
        self._taken_down = False
        self._environment |= settings
        self._child = await spawn(self.name, "run", environment=self._environment, folder=self._folder)
        self._started(self._child)

    async def consuming(self) -> None:
        """Wait until the broker confirmed the consumer of this run for the first time."""
        await self.child.says(CONSUMING)

    async def kill(self) -> None:
        """End it with SIGKILL."""
        self._taken_down = True
        self.kills.append(datetime.now(UTC))
        await self.child.kill()

    def freeze(self) -> None:
        """Stop it in the middle of what it does; its connections stay open."""
        self.child.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.child.signal(signal.SIGCONT)

    async def stop(self) -> int:
        """End it with SIGTERM, let it drain, and return the exit status."""
        self._taken_down = True
        self.child.signal(signal.SIGTERM)
        return await self.child.ends()

    async def leave(self) -> None:
        """End it, whatever state it is in."""
        if self._child is not None:
            await self._child.kill()

    async def readiness(self) -> tuple[int, str]:
        """Ask `/readyz`; status 0 where nobody listens."""
        try:
            async with httpx.AsyncClient(trust_env=False, timeout=5.0) as client:
                response = await client.get(f"{self._admin}/readyz")
        except httpx.TransportError as error:
            return 0, str(error)
        return response.status_code, response.text

    async def metric(self, name: str) -> float:
        """Read a metric without labels from `/metrics`."""
        async with httpx.AsyncClient(trust_env=False, timeout=5.0) as client:
            text = (await client.get(f"{self._admin}/metrics")).text
        return next(float(line.split()[1]) for line in text.splitlines() if line.startswith(f"{name} "))

    async def in_flight(self) -> float:
        """Tell how many requests it works on."""
        return await self.metric("videogen_requests_in_flight")
