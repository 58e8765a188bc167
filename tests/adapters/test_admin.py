import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.parser import text_string_to_metric_families

from service.adapters.admin import AdminPortError, AdminServer
from service.core.readiness import Readiness

HOST = "127.0.0.1"


@dataclass
class FixedHealth:
    """Keeps port `Health`."""

    readiness: Readiness

    def ready(self) -> Readiness:
        return self.readiness


@pytest.fixture
def health() -> FixedHealth:
    return FixedHealth(Readiness((), {"consuming": True}))


@pytest.fixture
def registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    Counter("things_total", "Things.", registry=registry).inc(3)
    return registry


@pytest.fixture
async def client(health: FixedHealth, registry: CollectorRegistry) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        AdminServer(HOST, 0, registry, health) as server,
        httpx.AsyncClient(base_url=f"http://{HOST}:{server.port}") as client,
    ):
        yield client


async def test_livez_says_that_the_loop_runs(client: httpx.AsyncClient, health: FixedHealth) -> None:
    health.readiness = Readiness(("down",), {})
    assert (await client.get("/livez")).status_code == 200


async def test_readyz_of_a_ready_worker(client: httpx.AsyncClient) -> None:
    answer = await client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {"ready": True, "reasons": [], "details": {"consuming": True}}


async def test_readyz_of_any_other_worker_says_why_not(client: httpx.AsyncClient, health: FixedHealth) -> None:
    health.readiness = Readiness(("the worker is draining",), {"draining": True})
    answer = await client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {
        "ready": False,
        "reasons": ["the worker is draining"],
        "details": {"draining": True},
    }


async def test_metrics_are_prometheus_text(client: httpx.AsyncClient) -> None:
    answer = await client.get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    samples = [sample for family in text_string_to_metric_families(answer.text) for sample in family.samples]
    assert ("things_total", 3.0) in [(sample.name, sample.value) for sample in samples]


async def test_metrics_are_openmetrics_where_the_client_asks(client: httpx.AsyncClient) -> None:
    answer = await client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert answer.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    assert "# TYPE things counter\n" in answer.text
    assert answer.text.endswith("# EOF\n")


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics"])
async def test_head_answers_like_get_without_a_body(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.head(path)
    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize("path", ["/", "/healthz", "/livez/more"])
async def test_any_other_path_lists_the_three(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert (answer.status_code, answer.text) == (404, "nothing here; try /livez, /readyz, /metrics\n")


async def test_other_methods_are_refused(client: httpx.AsyncClient) -> None:
    assert (await client.post("/livez")).status_code == 405


async def test_the_port_is_free_again_afterwards(health: FixedHealth, registry: CollectorRegistry) -> None:
    async with AdminServer(HOST, 0, registry, health) as server:
        port = server.port
    async with AdminServer(HOST, port, registry, health) as again:
        assert again.port == port


async def test_a_port_in_use_is_explained(health: FixedHealth, registry: CollectorRegistry) -> None:
    with socket.create_server((HOST, 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(AdminPortError, match=rf"port {port} on {HOST} is in use; .* VIDEOGEN_ADMIN__PORT"):
            await AdminServer(HOST, port, registry, health).__aenter__()


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
async def test_an_address_of_another_machine_is_explained(
    host: str, health: FixedHealth, registry: CollectorRegistry
) -> None:
    with pytest.raises(AdminPortError, match="set VIDEOGEN_ADMIN__HOST to an address of this machine"):
        await AdminServer(host, 0, registry, health).__aenter__()
