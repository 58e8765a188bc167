"""deploy/smoke.sh, while it runs and when it has ended."""

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from tests.deploy.harness.command import LIMIT, ROOT

SCRIPT = ROOT / "deploy" / "smoke.sh"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the script said at its end."""

    status: int
    said: str
    details: str


class Smoke:
    """The script as a process; what else happens meanwhile is for the test to do."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ends(self) -> Verdict:
        """Wait for the end."""
        said, details = self._process.communicate(timeout=LIMIT)
        return Verdict(self._process.returncode, said.strip(), details)


@contextmanager
def smoke(*arguments: str, environment: Mapping[str, str]) -> Iterator[Smoke]:
    """Begin to send requests. A script that still runs at the end is killed."""
    process = subprocess.Popen(
        [SCRIPT, *arguments],
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
    )
    with process:
        try:
            yield Smoke(process)
        finally:
            if process.poll() is None:
                # With the container client that it waits for.
                os.killpg(process.pid, signal.SIGKILL)
