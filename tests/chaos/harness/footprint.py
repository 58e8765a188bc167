"""What a process holds: memory, threads and open files, as Linux tells."""

from dataclasses import dataclass
from pathlib import Path

_KIB = 1024


@dataclass(frozen=True, slots=True)
class Footprint:
    """At one moment. `rss` is resident memory in MiB."""

    rss: float
    threads: int
    files: int


def footprint(pid: int) -> Footprint:
    process = Path("/proc") / str(pid)
    status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
    files = sum(1 for _ in (process / "fd").iterdir())
    return Footprint(int(status["VmRSS"].split()[0]) / _KIB, int(status["Threads"]), files)
