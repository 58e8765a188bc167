"""Programs that tests of the deployment run, and what they wait for."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from time import monotonic, sleep

ROOT = Path(__file__).parents[3]
# Pulls and builds of a first run included.
LIMIT = 480.0
_WAIT_LIMIT = 60.0
_INTERVAL = 0.2


def run(*command: str | Path, environment: Mapping[str, str] | None = None) -> str:
    """Run a program at the root of the repository, and return what it printed. It must end with 0."""
    done = attempt(*command, environment=environment)
    assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
    return done.stdout


def attempt(*command: str | Path, environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a program at the root of the repository, whatever its exit status."""
    return subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )


def tool(name: str) -> Path:
    """Find a program that comes with the development dependencies."""
    found = Path(sys.executable).parent / name
    assert found.exists(), f"{name} is not in the virtual environment; run make"
    return found


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Ask again and again until `condition` holds; `what` names it where it does not within a minute."""
    give_up = monotonic() + _WAIT_LIMIT
    while not condition():
        assert monotonic() < give_up, f"not within {_WAIT_LIMIT:.0f} s: {what}"
        sleep(_INTERVAL)
