"""One rival in one cell: a full queue for CPU, rate and memory, then a steady trickle for the time to a result.

With a full queue, the time from enqueue to result is the length of the queue. So p50 and p99 are taken afterwards, in
the same process, from requests at even intervals, of which there are too few to queue up.

CPU and rate are taken between two results at which as many calls are under way: after the first wave, and before the
queue runs dry.
"""

from dataclasses import dataclass

from tests.bench.accounting import peak_memory
from tests.bench.arithmetic import percentile
from tests.bench.arrivals import Ended
from tests.bench.ledger_rows import fill_ledger
from tests.bench.producer import body
from tests.bench.program import Program
from tests.bench.rivals import Rival, ledger_file, started
from tests.bench.scene import Scene, open_scene
from tests.bench.stage import Stage
from tests.bench.window import Sampler, Window

_SILENCE = 15.0
_ENOUGH_FOR_P99 = 100


@dataclass(frozen=True, slots=True)
class Cell:
    """How much is under way at once, how slow the endpoint is, and how much of it is measured.

    `warm_up` results come before the measured ones, `in_flight` after. A full queue is worked on for `limit` seconds at
    most. `steady` requests follow at `steady_rate` per second. `backlog`: so many requests wait at the start, and most
    of them still at the end. `ledger_rows`: so many requests are on record before.
    """

    in_flight: int
    latency: float
    warm_up: int
    measured: int
    limit: float
    steady: int = 0
    steady_rate: float = 0.0
    body_size: int = 0
    backlog: int = 0
    ledger_rows: int = 0

    @property
    def last(self) -> int:
        """The number of the last measured result."""
        return self.warm_up + self.measured

    @property
    def preload(self) -> int:
        return max(self.last + self.in_flight, self.backlog)


@dataclass(frozen=True, slots=True)
class Measured:
    """What came out. Times in milliseconds, memory in MiB; None where there was too little to tell.

    `cut_short`: there was not time enough for all requests. `lost` counts requests without a result in a run that was
    not, `odd` results without a task id, `doubled` ones beyond the first of a request, `repeated` requests that were
    called more than once.
    """

    rival: Rival
    in_flight: int
    latency: float
    body_size: int
    backlog: int
    ledger_rows: int
    requests: int
    per_second: float
    cpu_ms: float
    cores: float
    peak_mib: float
    p50_ms: float | None
    p99_ms: float | None
    steady_rate: float
    cut_short: bool
    lost: int
    odd: int
    doubled: int
    repeated: int


async def measure(stage: Stage, rival: Rival, cell: Cell) -> Measured:
    """Run it on queues, an endpoint and a ledger of its own."""
    request = body(cell.body_size)
    async with open_scene(stage, latency=cell.latency) as scene:
        await scene.producer.preload(cell.preload, request)
        if cell.ledger_rows:
            await fill_ledger(ledger_file(stage, scene.queues), scene.queues.topology.prefix, cell.ledger_rows)
        base_url = scene.endpoint.base_url
        async with started(stage, rival, scene.queues, base_url, cell.in_flight) as process:
            window, ended = await _drain(process, scene, cell)
            peak = peak_memory(process.pid)
            lost = cell.preload - len(scene.arrivals.times) if ended is Ended.SILENCE else 0
            waits = await _trickle(scene, cell, request) if ended is Ended.ALL else []
        return Measured(
            rival=rival,
            in_flight=cell.in_flight,
            latency=cell.latency,
            body_size=len(request),
            backlog=cell.preload,
            ledger_rows=cell.ledger_rows,
            requests=window.requests,
            per_second=window.per_second,
            cpu_ms=window.cpu_ms,
            cores=window.cores,
            peak_mib=peak / 2**20,
            p50_ms=percentile(waits, 0.5),
            p99_ms=percentile(waits, 0.99) if len(waits) >= _ENOUGH_FOR_P99 else None,
            steady_rate=cell.steady_rate,
            cut_short=ended is Ended.LIMIT,
            lost=lost,
            odd=scene.arrivals.odd,
            doubled=len(scene.arrivals.times) - len(scene.arrivals.by_request),
            repeated=(await scene.endpoint.counts()).accepted_more_than_once,
        )


async def _drain(process: Program, scene: Scene, cell: Cell) -> tuple[Window, Ended]:
    results = scene.arrivals
    sampler = Sampler(process.pid, results, 1, cell.warm_up, cell.last)
    # A long queue is there to be long, not to be emptied.
    wanted = cell.last if cell.backlog else cell.preload
    ended = await results.wait_for(wanted, limit=cell.limit, silence=_SILENCE)
    if not process.running:
        raise RuntimeError(f"the process ended by itself:\n{process.tail}")
    if len(results.times) < cell.last:
        sampler.sample()
    if not sampler.windows or not sampler.windows[-1].requests:
        raise RuntimeError(f"{len(results.times)} results, which is too few to measure:\n{process.tail}")
    return sampler.windows[-1], ended


async def _trickle(scene: Scene, cell: Cell, request: bytes) -> list[float]:
    if not cell.steady:
        return []
    before = len(scene.arrivals.times)
    await scene.producer.steadily(cell.steady, cell.steady_rate, request)
    patience = cell.latency + _SILENCE
    await scene.arrivals.wait_for(before + cell.steady, limit=patience, silence=patience)
    arrived = scene.arrivals.by_request
    return [1000 * (arrived[key] - at) for key, at in scene.producer.published.items() if key in arrived]
