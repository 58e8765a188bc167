"""The stand-in as a whole, on a port of loopback."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from aiohttp import web

from service.private_broker.free_ports import free_ports
from tests.deploy.kubernetes.cluster.api import Api
from tests.deploy.kubernetes.cluster.deployments import Deployments
from tests.deploy.kubernetes.cluster.kinds import NAMESPACE
from tests.deploy.kubernetes.cluster.kubelet import Host, Kubelet
from tests.deploy.kubernetes.cluster.service_addresses import ServiceAddresses
from tests.deploy.kubernetes.cluster.store import Store

_PATIENCE = 40.0


@dataclass(frozen=True, slots=True)
class StandIn:
    """A cluster that runs. `unplayed` are the requests that it did not play: none in a test that shows something."""

    store: Store
    unplayed: list[str]
    environment: dict[str, str] = field(repr=False)


@asynccontextmanager
async def stand_in(host: Host, patience: float = _PATIENCE) -> AsyncIterator[StandIn]:
    """Run a cluster with no objects; `patience` is how many seconds a Deployment has to become available."""
    store = Store()
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as group:
        services = ServiceAddresses(store, stack)
        kubelet = Kubelet(store, services, host)
        api = Api(store, kubelet)
        deployments = Deployments(store, kubelet.run, group, patience)
        tasks = group.create_task(_keep_up(store, services, deployments))
        (port,) = free_ports(1)
        runner = web.AppRunner(api.application(), handler_cancellation=True, shutdown_timeout=1.0)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", port).start()
        await store.put(NAMESPACE, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}})
        yield StandIn(store, api.unplayed, _for_kubectl(host.folder, f"http://127.0.0.1:{port}"))
        tasks.cancel()
        deployments.stop()


async def _keep_up(store: Store, services: ServiceAddresses, deployments: Deployments) -> None:
    while True:
        seen = store.version
        await services.renew()
        await deployments.renew()
        await store.later_than(seen)


def _for_kubectl(folder: Path, server: str) -> dict[str, str]:
    """Give the environment that leads kubectl here, and keeps it out of the home of whoever runs the tests."""
    name = "stand-in"
    file = folder / "kubeconfig"
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": server}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "users": [{"name": name, "user": {}}],
        "current-context": name,
    }
    file.write_text(yaml.safe_dump(config))
    return {"KUBECONFIG": str(file), "HOME": str(folder), "KUBECACHEDIR": str(folder / "cache")}
