"""Real workers between a real broker and the simulated endpoint, watched by a real Prometheus."""

import json
import signal
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import httpx

from service.private_broker import Node, private_node
from service.private_broker.broker import Say
from service.private_broker.free_ports import free_ports
from tests.deploy.monitoring.producer import Producer, producing
from tests.deploy.monitoring.prometheus import Prometheus, Target, running_prometheus
from tests.support.environment import environment
from tests.support.links import with_address
from tests.support.process import Process, process
from tests.support.tcp_proxy import TcpProxy

PREFIX = "videogen"
KEY = "test-key"
QUEUE_FAMILIES = ("queue_coarse_metrics", "queue_consumer_count")

QUICK: Mapping[str, str] = {
    "VIDEOGEN_BROKER__RECONNECT_CAP": "1s",
    "VIDEOGEN_ENDPOINT__TIMEOUT": "5s",
    "VIDEOGEN_ENDPOINT__CONNECT_TIMEOUT": "1s",
    "VIDEOGEN_ENDPOINT__DOWN_AFTER": "3",
    "VIDEOGEN_WORKER__CONCURRENCY": "16",
    "VIDEOGEN_WORKER__PROBE_FIRST": "1s",
    "VIDEOGEN_WORKER__PROBE_CAP": "2s",
    "VIDEOGEN_WORKER__DRAIN_TIMEOUT": "20s",
    "VIDEOGEN_RETRY__ATTEMPTS": "3",
    "VIDEOGEN_RETRY__BASE": "0.1",
    "VIDEOGEN_RETRY__CAP": "1s",
    "VIDEOGEN_RETRY__BUDGET": "5s",
    "VIDEOGEN_RETRY__TIERS": "2s,5s",
}
"""Waits that pass soon; the relations between settings hold."""


class WorkerPlace:
    """One place for a worker: it can be stopped and started again, at the same address."""

    def __init__(self, settings: Mapping[str, str], folder: Path) -> None:
        (port,) = free_ports(1)
        self.address = f"127.0.0.1:{port}"
        self._settings = {**settings, "VIDEOGEN_ADMIN__PORT": str(port)}
        self._folder = folder
        self._stack = AsyncExitStack()
        self._process: Process | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def start(self) -> None:
        """Start it and wait until it consumes."""
        running = process("run", environment=self._settings, folder=self._folder)
        self._process = await self._stack.enter_async_context(running)
        await self._process.says("consumer active")

    def begin_to_stop(self) -> None:
        """Send SIGTERM."""
        assert self._process is not None
        self._process.signal(signal.SIGTERM)

    async def stopped(self) -> None:
        """Wait for its end."""
        assert self._process is not None
        status = await self._process.exits()
        assert status == 0, "\n".join(self._process.output[-20:])


@dataclass(slots=True)
class Stage:
    """Everything that an incident may lay hands on. Workers reach broker and endpoint through the two proxies."""

    node: Node
    to_broker: TcpProxy
    to_endpoint: TcpProxy
    endpoint: httpx.AsyncClient
    ledger: Path
    workers: Sequence[WorkerPlace]
    prometheus: Prometheus
    producer: Producer
    began: float

    async def switch(self, what: str, content: str) -> None:
        """Change the simulated endpoint while it runs (`key`, `outage`, `error-rates`)."""
        (await self.endpoint.put(f"/_sim/{what}", content=content)).raise_for_status()

    async def was_called(self, request_id: str) -> bool:
        """Tell whether a call for this request has reached the endpoint."""
        return bool((await self.endpoint.get("/_sim/record", params={"idempotency_key": request_id})).text)


@asynccontextmanager
async def open_stage(say: Say, folder: Path, *, workers: int = 1, rate: float = 20.0) -> AsyncIterator[Stage]:
    """Start everything, and take it away again; `rate` requests a second are sent all the time.

    The broker is a node of our own, because incidents are done to it, and it is asked for its queues.
    """
    (metrics_port,) = free_ports(1)
    plugin = {"prometheus.tcp.port": str(metrics_port), "prometheus.tcp.ip": "127.0.0.1"}
    simulate = ("simulate", "--port", "0", "--json", "--api-key", KEY, "--seed", "1")
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        node = await enter(private_node(say, plugins=["rabbitmq_prometheus"], configuration=plugin))
        simulator = await enter(process(*simulate, "--latency", "0.1", "--latency-spread", "0.5"))
        endpoint_url = json.loads(await simulator.says('"base_url"'))["base_url"]
        to_broker = await enter(TcpProxy("127.0.0.1", urlsplit(node.url).port or 0))
        to_endpoint = await enter(TcpProxy("127.0.0.1", urlsplit(endpoint_url).port or 0))
        ledger = folder / "ledger" / "ledger.db"
        ledger.parent.mkdir()
        common = {
            **environment(
                with_address(node.url, port=to_broker.port), PREFIX, f"http://127.0.0.1:{to_endpoint.port}", **QUICK
            ),
            "VIDEOGEN_LEDGER__URL": f"sqlite:///{ledger}",
        }
        places = [await enter(WorkerPlace(common, folder)) for _ in range(workers)]
        of_workers = {f"worker-{number}": place.address for number, place in enumerate(places, 1)}
        of_broker = {"broker": f"127.0.0.1:{metrics_port}"}
        began = time.time()
        prometheus = await enter(
            running_prometheus(
                say,
                folder,
                [
                    Target("videogen-worker", of_workers),
                    Target("rabbitmq", of_broker),
                    Target("rabbitmq-queues", of_broker, "/metrics/detailed", {"family": QUEUE_FAMILIES}),
                ],
            )
        )
        endpoint = await enter(httpx.AsyncClient(base_url=endpoint_url, trust_env=False))
        producer = await enter(producing(node.url, f"{PREFIX}.requests", rate))
        await prometheus.until(f"count(videogen_consumer_active == 1) == {workers}")
        yield Stage(node, to_broker, to_endpoint, endpoint, ledger, places, prometheus, producer, began)
