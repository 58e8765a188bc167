"""How long the worker takes from its start to consuming, and Python to import it."""

import asyncio
import subprocess
import sys
import time
from dataclasses import dataclass

from service.private_broker.free_ports import free_ports
from tests.bench.plan import Plan
from tests.bench.queues import declared
from tests.bench.rivals import Rival, started
from tests.bench.stage import Stage

_LIMIT = 20.0
_INTERVAL = 0.01
_IMPORT = (
    "import time; began = time.perf_counter(); from service.__main__ import begin_quickly; begin_quickly(); "
    "import service.app; print(time.perf_counter() - began)"
)


@dataclass(frozen=True, slots=True)
class Starts:
    """Seconds. `on_new_queues`: the worker has its queues to make; else they are there, as after the first start."""

    consuming: list[float]
    on_new_queues: list[float]
    importing: list[float]


async def starts(stage: Stage, plan: Plan) -> Starts:
    """Measure each so many times, after one start that fills the caches."""
    stage.say(f"{plan.starts} starts")
    fresh, again = [], []
    await _consuming(stage)
    for _ in range(plan.starts):
        first, second = await _consuming(stage)
        fresh.append(first)
        again.append(second)
    importing = [await asyncio.to_thread(_importing) for _ in range(plan.starts)]
    return Starts(again, fresh, importing)


async def _consuming(stage: Stage) -> tuple[float, float]:
    """Start twice: on queues that are not there yet, and on those."""
    async with declared(stage.broker_url, only_names=True) as queues:
        times = []
        for _ in range(2):
            (port,) = free_ports(1)
            began = time.monotonic()
            address = "http://127.0.0.1:9"
            async with started(stage, Rival.SQLITE, queues, address, 64, VIDEOGEN_ADMIN__PORT=str(port)) as process:
                async with asyncio.timeout(_LIMIT):
                    while not await _is_ready(port):
                        if not process.running:
                            raise RuntimeError(f"the worker ended as it started:\n{process.tail}")
                        await asyncio.sleep(_INTERVAL)
                times.append(time.monotonic() - began)
    return times[0], times[1]


async def _is_ready(port: int) -> bool:
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    try:
        writer.write(b"GET /readyz HTTP/1.1\r\nHost: worker\r\nConnection: close\r\n\r\n")
        return b" 200 " in await reader.readline()
    except OSError:
        return False
    finally:
        writer.close()


def _importing() -> float:
    return float(subprocess.run([sys.executable, "-c", _IMPORT], check=True, capture_output=True, text=True).stdout)
