import asyncio
import signal
import sys
from pathlib import Path

import pytest

from tests.support.environment import environment
from tests.support.process import process


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("VIDEOGEN_BROKER__CA_FILE", str(Path(__file__))),
        ("VIDEOGEN_ENDPOINT__CA_FILE", str(Path(__file__))),
        ("VIDEOGEN_ENDPOINT__BASE_URL", "http://exämple..com"),
        ("VIDEOGEN_ENDPOINT__BASE_URL", "https://☃.example"),
        ("SSL_CERT_FILE", "/nope"),
        ("HTTPS_PROXY", "foo://bar"),
    ],
)
async def test_what_can_never_work_ends_with_status_2_and_its_name_and_no_traceback(
    name: str, value: str, prefix: str
) -> None:
    settings = environment("amqps://127.0.0.1:9/", prefix, "https://127.0.0.1:9") | {name: value}
    async with process("run", environment=settings) as worker:
        assert await worker.exits() == 2

    said = "\n".join(worker.output)
    assert name in said
    assert "Traceback" not in said


async def test_tracing_that_can_never_work_ends_with_status_2_and_its_name_and_no_traceback(prefix: str) -> None:
    settings = environment("amqp://127.0.0.1:9/", prefix, "https://127.0.0.1:9")
    tracing = {"VIDEOGEN_TRACING__ENABLED": "true", "OTEL_TRACES_EXPORTER": "jaeger"}
    async with process("run", environment=settings | tracing) as worker:
        assert await worker.exits() == 2

    said = "\n".join(worker.output)
    assert "OTEL_TRACES_EXPORTER=jaeger" in said
    assert "Traceback" not in said


STARTING = """
import sys
from service.cli import run
run.settings_or_exit = lambda: (print("starting", flush=True), sys.stdin.read())
run.run()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
async def test_a_signal_before_the_worker_is_up_is_a_clean_stop(number: signal.Signals) -> None:
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", STARTING, stdin=pipe, stdout=pipe)
    assert child.stdout is not None
    async with asyncio.timeout(30):
        assert await child.stdout.readline() == b"starting\n"
        child.send_signal(number)
        await child.communicate()

    assert child.returncode == 0
