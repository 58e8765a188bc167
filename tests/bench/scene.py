"""Queues, an endpoint, a producer and a drain for results: what one measurement plays on."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.bench.arrivals import Arrivals, arrivals
from tests.bench.endpoint_process import EndpointProcess, endpoint
from tests.bench.producer import Producer, producer
from tests.bench.queues import Queues, declared
from tests.bench.stage import Stage


@dataclass(frozen=True, slots=True)
class Scene:
    """Of one measurement alone, but for the broker."""

    endpoint: EndpointProcess
    queues: Queues
    producer: Producer
    arrivals: Arrivals


@asynccontextmanager
async def open_scene(stage: Stage, *, latency: float = 0.0, rate: float | None = None) -> AsyncIterator[Scene]:
    """Set it up, and clear it away."""
    async with (
        endpoint(stage.folder, latency=latency, rate=rate) as server,
        declared(stage.broker_url) as queues,
        producer(stage.broker_url, queues) as source,
        arrivals(stage.broker_url, queues) as results,
    ):
        yield Scene(server, queues, source, results)
