"""A simulator on a free port, a client for it, and a hand-set time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import httpx

from service.core.catalogue import Catalogue, Model
from service.simulator.options import SimulatorOptions
from service.simulator.server import GENERATIONS, Simulator
from service.simulator.timing import Timing

CATALOGUE = Catalogue(
    models=(
        Model(name="wan2.2-t2v-plus", sizes=((832, 480), (1920, 1080)), durations=(5,)),
        Model(name="wanx2.1-t2v-turbo", aliases=("wan2.1-t2v-turbo",), sizes=((1280, 720),), durations=(5,)),
        Model(name="wan2.5-t2v-preview", sizes=((832, 480),), durations=(5, 10), audio=True, prompt_limit=1500),
    )
)
BODY: dict[str, object] = {"model": "wan2.2-t2v-plus", "prompt": "a cat"}
AUTHORIZED = {"Authorization": "Bearer some-key"}


@dataclass
class HandTime:
    """Time that moves only when told; sleeps return at once and are written down."""

    seconds: float = 1000.0
    slept: list[float] = field(default_factory=list)

    def timing(self) -> Timing:
        return Timing(now=self._now, monotonic=lambda: self.seconds, sleep=self._sleep)

    def _now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.seconds)

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


@dataclass(frozen=True, slots=True)
class Endpoint:
    simulator: Simulator
    client: httpx.AsyncClient
    time: HandTime

    async def post(self, directive: str = "", key: str | None = None, **fields: object) -> httpx.Response:
        headers = {} if key is None else {"Idempotency-Key": key}
        body = {**BODY, "prompt": f"a cat {directive}", **fields}
        return await self.client.post(GENERATIONS, json=body, headers=headers)

    def post_soon(self, directive: str = "", key: str | None = None) -> asyncio.Task[httpx.Response]:
        return asyncio.create_task(self.post(directive, key))

    async def statuses(self, directive: str, calls: int, key: str | None = "request-1") -> list[int]:
        return [(await self.post(directive, key)).status_code for _ in range(calls)]


@asynccontextmanager
async def serving(options: SimulatorOptions | None = None) -> AsyncIterator[Endpoint]:
    time = HandTime()
    async with (
        Simulator(options or SimulatorOptions(), CATALOGUE, time.timing()) as simulator,
        httpx.AsyncClient(base_url=simulator.base_url, headers=AUTHORIZED) as client,
    ):
        yield Endpoint(simulator, client, time)
