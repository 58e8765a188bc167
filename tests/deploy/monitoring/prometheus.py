"""A Prometheus of a test's own, and questions to it over its HTTP API."""

import asyncio
import math
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from service.private_broker.broker import Say
from service.private_broker.free_ports import free_ports
from tests.deploy.monitoring.places import ALERTS
from tests.support.debian_program import find_or_install

ADVICE = "Prometheus is missing. Install it: `sudo apt-get install prometheus`, or put a release of it on PATH."
_START_LIMIT = 30.0
_INTERVAL = 0.1


@dataclass(frozen=True, slots=True)
class Target:
    """What is scraped under one job name: addresses by the name that they get; `query` is that of the URL."""

    job: str
    addresses: Mapping[str, str]
    path: str = "/metrics"
    query: Mapping[str, Sequence[str]] | None = None


@dataclass(frozen=True, slots=True)
class Series:
    """One series of an answer: instants and values, those that are no numbers left out."""

    labels: Mapping[str, str]
    times: Sequence[float]
    values: Sequence[float]


class Prometheus:
    """Asks one Prometheus."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def over_time(self, expression: str, start: float, end: float, step: float) -> list[Series]:
        """Evaluate an expression from `start` to `end`, both Unix time, every `step` seconds.

        Raises:
            AssertionError: Prometheus refuses it; with its words.
        """
        data = await self._ask("query_range", query=expression, start=start, end=end, step=step)
        return [_series(each["metric"], each["values"]) for each in data["result"]]

    async def now(self, expression: str) -> list[Series]:
        """Evaluate an expression at this moment."""
        data = await self._ask("query", query=expression)
        return [_series(each["metric"], [each["value"]]) for each in data["result"]]

    async def until(self, expression: str, within: float = 60.0) -> None:
        """Wait until an expression has a result."""
        try:
            async with asyncio.timeout(within):
                while not await self.now(expression):  # noqa: ASYNC110 - what is asked about is in another process
                    await asyncio.sleep(_INTERVAL)
        except TimeoutError:
            raise AssertionError(f"not so within {within:.0f} s: {expression}") from None

    async def rules(self) -> list[Mapping[str, Any]]:
        """List the alert rules, with what came of their last evaluation."""
        return [rule for group in (await self._ask("rules"))["groups"] for rule in group["rules"]]

    async def ready(self) -> bool:
        try:
            return (await self._http.get("/-/ready")).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    async def _ask(self, what: str, **parameters: str | float) -> Any:  # noqa: ANN401 - each question has an answer of its own
        answer = (await self._http.get(f"/api/v1/{what}", params=parameters)).json()
        assert answer["status"] == "success", f"{answer['error']}: {parameters.get('query')}"
        return answer["data"]


def _series(labels: Mapping[str, str], points: Sequence[tuple[float, str]]) -> Series:
    finite = [(at, float(text)) for at, text in points if math.isfinite(float(text))]
    return Series(labels, [at for at, _ in finite], [value for _, value in finite])


@asynccontextmanager
async def running_prometheus(say: Say, folder: Path, targets: Sequence[Target]) -> AsyncIterator[Prometheus]:
    """Scrape `targets` every second and evaluate the alert rules, until the context ends; data are in `folder`."""
    program = find_or_install("prometheus", "prometheus", say)
    assert program is not None, ADVICE
    (port,) = free_ports(1)
    (folder / "prometheus.yml").write_text(yaml.safe_dump(_configuration(targets)))
    with (folder / "prometheus.log").open("wb") as log:
        child = await asyncio.create_subprocess_exec(
            program,
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=warn",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30.0) as http:
            prometheus = Prometheus(http)
            async with asyncio.timeout(_START_LIMIT):
                while not await prometheus.ready():
                    assert child.returncode is None, (folder / "prometheus.log").read_text()
                    await asyncio.sleep(_INTERVAL)
            yield prometheus
    finally:
        if child.returncode is None:
            child.terminate()
        await child.wait()


def _configuration(targets: Sequence[Target]) -> Mapping[str, object]:
    return {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(ALERTS)],
        "scrape_configs": [
            {
                "job_name": target.job,
                "metrics_path": target.path,
                "params": {name: list(values) for name, values in (target.query or {}).items()},
                "static_configs": [
                    {"targets": [address], "labels": {"instance": name}} for name, address in target.addresses.items()
                ],
            }
            for target in targets
        ],
    }
