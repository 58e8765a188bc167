"""What it was measured on. No name of a host, no path."""

import os
import platform
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from tests.bench.stage import Stage

_LIBRARIES = ("aio-pika", "aiormq", "aiohttp", "httpx", "pydantic", "faststream", "uvloop")


@dataclass(frozen=True, slots=True)
class Machine:
    """Where, with what, and how fast the endpoint alone is there."""

    processor: str
    cores: int
    memory_gib: float
    kernel: str
    python: str
    broker: str
    libraries: dict[str, str]
    endpoint_per_second: float
    load_before: float
    when: str


def describe(stage: Stage, endpoint_per_second: float, load_before: float, when: str) -> Machine:
    processors = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return Machine(
        processor=processors[0] if processors else platform.machine(),
        cores=os.cpu_count() or 0,
        memory_gib=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        kernel=platform.release(),
        python=platform.python_version(),
        broker=f"RabbitMQ {stage.broker_version} ({stage.broker_kind})",
        libraries={name: version(name) for name in _LIBRARIES},
        endpoint_per_second=endpoint_per_second,
        load_before=load_before,
        when=when,
    )
