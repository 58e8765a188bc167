import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.bench.accounting import cpu_seconds, memory, peak_memory
from tests.bench.arrivals import Arrivals
from tests.bench.window import Sampler


def busy(seconds: float) -> None:
    began = time.thread_time()
    while time.thread_time() - began < seconds:
        pass


def own_pid() -> int:
    return int(Path("/proc/self").readlink().name)


def test_the_time_of_a_thread_that_ended_still_counts() -> None:
    before = cpu_seconds(own_pid())
    thread = threading.Thread(target=busy, args=(0.1,))
    thread.start()
    thread.join()
    assert cpu_seconds(own_pid()) - before >= 0.1


def test_the_time_of_a_child_counts_while_it_runs() -> None:
    before = cpu_seconds(own_pid())
    code = "import time\nwhile time.process_time() < 0.3: pass\nprint(flush=True)\ninput()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert cpu_seconds(own_pid()) - before >= 0.3
        child.communicate(b"\n")


def test_memory_that_was_given_back_stays_in_the_peak() -> None:
    before = memory(own_pid())
    block = bytearray(b"x") * (64 * 2**20)
    del block
    assert peak_memory(own_pid()) >= before + 60 * 2**20


def test_a_window_holds_the_cpu_between_two_results() -> None:
    results = Arrivals()
    sampler = Sampler(own_pid(), results, 1, 3)
    for number in range(4):
        busy(0.05)
        results.arrived(f"request-{number}", b'{"task_id": "t"}')
    (window,) = sampler.windows
    assert window.requests == 2
    assert window.cpu_ms == pytest.approx(50, rel=0.2)
    assert window.per_second <= 20
