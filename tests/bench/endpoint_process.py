"""The fast endpoint as a process: started, asked what it counted, told another rate limit."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from service.private_broker.free_ports import free_ports
from tests.bench.program import Program, program

_START_LIMIT = 10.0


@dataclass(frozen=True, slots=True)
class Counts:
    """What the endpoint saw. `calls` has, by API key, rows of time (monotonic seconds), accepted and refused calls."""

    requests: int
    accepted: int
    accepted_more_than_once: int
    calls: Mapping[str, Sequence[tuple[float, int, int]]]


class EndpointProcess:
    """A running endpoint."""

    def __init__(self, running: Program, port: int) -> None:
        self.program = running
        self.port = port
        self.base_url = f"http://127.0.0.1:{port}"

    async def counts(self) -> Counts:
        async with httpx.AsyncClient(trust_env=False, timeout=30.0) as client:
            answer = (await client.get(f"{self.base_url}/_bench/counts")).json()
        calls = {key: [(at, yes, no) for at, yes, no in rows] for key, rows in answer.pop("calls").items()}
        return Counts(calls=calls, **answer)

    async def limit(self, rate: float) -> None:
        """Let so many requests per second through from now on."""
        async with httpx.AsyncClient(trust_env=False, timeout=30.0) as client:
            (await client.put(f"{self.base_url}/_bench/rate", content=json.dumps(rate))).raise_for_status()


@asynccontextmanager
async def endpoint(folder: Path, *, latency: float = 0.0, rate: float | None = None) -> AsyncIterator[EndpointProcess]:
    """Run an endpoint that listens when this comes back."""
    (port,) = free_ports(1)
    limit = () if rate is None else ("--rate", str(rate))
    arguments = ("--port", str(port), "--latency", str(latency), *limit)
    async with program("tests.bench.endpoint", *arguments, folder=folder) as running:
        async with asyncio.timeout(_START_LIMIT):
            while not await _listens(port):
                if not running.running:
                    raise RuntimeError(f"the endpoint ended as it started:\n{running.tail}")
                await asyncio.sleep(0.02)
        yield EndpointProcess(running, port)


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True
