"""Tracing that is off, or on without what it needs, in processes where OpenTelemetry cannot be imported."""

import os
import subprocess
import sys

from tests.support.environment import environment

BLOCKED = """
import importlib.abc, sys

class Blocker(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] == "opentelemetry":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None

sys.meta_path.insert(0, Blocker())
"""
RUN = f"""{BLOCKED}
from service.__main__ import main
sys.argv = ["videogen-worker", *sys.argv[1:]]
main()
"""
OFF = f"""{BLOCKED}
import asyncio
import service.app, service.adapters.logging_setup, service.cli.run
from service.adapters.tracing.opening import log_processors, open_tracing
from service.settings import load_settings

async def opened(settings):
    async with open_tracing(settings) as instruments:
        return instruments.exemplar()

settings = load_settings()
print(asyncio.run(opened(settings)), log_processors(settings))
"""


def ended(program: str, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("VIDEOGEN_")}
    given = inherited | environment("amqp://127.0.0.1:9/", "test", "http://127.0.0.1:9", **settings)
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, env=given, capture_output=True, text=True, check=False, timeout=60)


def test_off_the_worker_needs_no_opentelemetry() -> None:
    told = ended(OFF)

    assert (told.stdout, told.stderr) == ("None []\n", "")


def test_on_without_the_extra_the_worker_ends_with_status_2_and_says_what_to_install() -> None:
    told = ended(RUN, "run", VIDEOGEN_TRACING__ENABLED="true")

    assert told.returncode == 2
    assert "pip install 'videogen-worker[otel]'" in told.stderr
    assert "Traceback" not in told.stderr


def test_a_variable_that_cannot_be_read_is_named() -> None:
    program = "import sys; from service.__main__ import main; main()"
    told = ended(program, "run", VIDEOGEN_TRACING__ENABLED="true", OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT="many")

    assert told.returncode == 2
    assert "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT" in told.stderr
    assert "Traceback" not in told.stderr
