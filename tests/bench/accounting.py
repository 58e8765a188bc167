"""What the kernel has on record of a process: CPU time and memory."""

import time
from contextlib import suppress
from pathlib import Path

_PROCESS_WIDE = 2
"""CPUCLOCK_SCHED: the clock of a whole process, in nanoseconds, threads that ended included."""


def cpu_seconds(pid: int) -> float:
    """Tell the CPU time of a process with all its threads, and of the children that it has now."""
    return time.clock_gettime((~pid << 3) | _PROCESS_WIDE) + sum(cpu_seconds(child) for child in _children(pid))


def peak_memory(pid: int) -> int:
    """Tell the most memory that a process ever had, in bytes."""
    return _status(pid, "VmHWM")


def memory(pid: int) -> int:
    """Tell the memory that a process has now, in bytes."""
    return _status(pid, "VmRSS")


def _status(pid: int, name: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for thread in Path(f"/proc/{pid}/task").iterdir():
        # A thread may end between the listing and the look.
        with suppress(OSError):
            found += map(int, (thread / "children").read_text().split())
    return found
