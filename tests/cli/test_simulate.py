"""`videogen-worker simulate` as a process of its own."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from service.simulator.server import GENERATIONS
from tests.simulator.serving import AUTHORIZED, BODY
from tests.support.running import simulated_endpoint

_RUN = "import typer; from service.cli.simulate import simulate; typer.run(simulate)"


@asynccontextmanager
async def _running(*options: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _RUN, *options, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def _first_line(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    return (await process.stdout.readline()).decode()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_it_serves_until_a_signal_and_exits_with_0(number: signal.Signals) -> None:
    async with _running("--port", "0", "--json") as process:
        where = json.loads(await _first_line(process))
        async with httpx.AsyncClient(headers=AUTHORIZED) as client:
            response = await client.post(where["base_url"] + GENERATIONS, json=BODY)
            summary = (await client.get(where["summary_url"])).json()
        assert (response.status_code, summary["accepted"]) == (200, 1)
        process.send_signal(number)
        output, errors = await process.communicate()
        assert (process.returncode, output, errors) == (0, b"", b"")


async def test_it_prints_where_it_listens_and_a_command_to_try() -> None:
    async with _running("--port", "0", "--api-key", "it's me") as process:
        assert "Simulated endpoint at http://127.0.0.1:" in await _first_line(process)
        process.terminate()
        output, _ = await process.communicate()
        assert "curl -s http://127.0.0.1:" in output.decode()
        assert """'Authorization: Bearer it'"'"'s me'""" in output.decode()


async def test_the_options_reach_the_simulator() -> None:
    async with _running(
        "--port", "0", "--json", "--api-key", "secret", "--error-rate", "503 code=X=1", "--seed", "1"
    ) as process:
        url = json.loads(await _first_line(process))["base_url"] + GENERATIONS
        async with httpx.AsyncClient() as client:
            unauthorized = await client.post(url, json=BODY, headers=AUTHORIZED)
            faulty = await client.post(url, json=BODY, headers={"Authorization": "Bearer secret"})
        assert (unauthorized.status_code, faulty.status_code) == (401, 503)
        assert faulty.json()["error"]["code"] == "X"


async def test_the_size_separator_can_be_chosen() -> None:
    async with _running("--port", "0", "--json", "--size-separator", "x") as process:
        url = json.loads(await _first_line(process))["base_url"] + GENERATIONS
        async with httpx.AsyncClient(headers=AUTHORIZED) as client:
            known = await client.post(url, json={**BODY, "size": "832x480"})
            unknown = await client.post(url, json={**BODY, "size": "832*480"})
        assert (known.status_code, unknown.status_code) == (200, 500)


@pytest.mark.parametrize(
    ("options", "status", "problem"),
    [
        (("--error-rate", "429"), 2, "FAULT=SHARE"),
        (("--error-rate", "429=2"), 2, "shares from 0 to 1"),
        (("--error-rate", "rst=0.1"), 2, "'rst' is not known"),
        (("--rate-limit", "0"), 2, "above 0"),
        (("--rate-limit", "inf"), 2, "rate_limit must be finite"),
        (("--burst", "3"), 2, "burst has no effect without rate_limit"),
        (("--error-rate", "429=0.1", "--error-rate", "429=0.2"), 2, "429 is given twice"),
        (("--latency", "-1"), 2, "latency"),
        (("--latency", "inf"), 2, "latency must be 0 seconds or more, and finite"),
        (("--latency-spread", "nan"), 2, "latency-spread"),
        (("--api-key", ""), 2, "api_key must not be empty"),
        (("--api-key", " key"), 2, "api_key must not be empty, nor begin"),
        (("--size-separator", ""), 2, "size_separator must not be empty"),
        (("--models-file", "/nowhere/models.json"), 2, "/nowhere/models.json"),
    ],
)
async def test_wrong_usage_is_explained(options: tuple[str, ...], status: int, problem: str) -> None:
    async with _running("--port", "0", *options) as process:
        _, errors = await process.communicate()
        assert (process.returncode, problem in errors.decode()) == (status, True)


async def test_an_address_in_use_is_explained() -> None:
    async with simulated_endpoint() as other, _running("--port", str(httpx.URL(other.base_url).port)) as process:
        _, errors = await process.communicate()
        assert process.returncode == 1
        assert "choose another --host or --port" in errors.decode()


async def test_a_models_file_replaces_the_catalogue(tmp_path: Path) -> None:
    models = tmp_path / "models.json"
    models.write_text(json.dumps({"models": [{"name": "m-1", "sizes": [[1, 1]], "durations": [5]}]}))
    async with _running("--port", "0", "--json", "--models-file", str(models)) as process:
        url = json.loads(await _first_line(process))["base_url"] + GENERATIONS
        async with httpx.AsyncClient(headers=AUTHORIZED) as client:
            known = await client.post(url, json={"model": "m-1", "prompt": "a cat"})
            unknown = await client.post(url, json=BODY)
        assert (known.status_code, unknown.status_code) == (200, 404)
