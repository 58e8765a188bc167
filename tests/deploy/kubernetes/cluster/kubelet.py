"""Runs pods: waits for what they mount, starts them, asks their probes, and brings changed Secrets into them."""

import asyncio
import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from tenacity import AsyncRetrying, retry_if_not_result, wait_fixed

from service.private_broker.free_ports import free_ports
from tests.deploy.kubernetes.cluster.containers import Container, Ports, started
from tests.deploy.kubernetes.cluster.kinds import CONFIG_MAP, POD, SECRET, SERVICE_ACCOUNT, VOLUME_CLAIM
from tests.deploy.kubernetes.cluster.refusals import bad_request
from tests.deploy.kubernetes.cluster.service_addresses import Address, ServiceAddresses
from tests.deploy.kubernetes.cluster.store import Store
from tests.deploy.kubernetes.rendering import WORKER, Manifest, Rendered
from tests.deploy.kubernetes.worker_pod import Key, UnpackedPod, WorkerPod

_ADMIN = 8080
_PROBE_INTERVAL = 0.1


@dataclass(frozen=True, slots=True)
class Host:
    """What a pod finds outside of the cluster.

    `programs` stand for images of other people's: where their ports are. `settings` are what a pod would not share with
    other pods, and processes of one machine do.
    """

    folder: Path
    programs: Mapping[str, Mapping[int, Address]] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)


class Kubelet:
    """The one node of the cluster."""

    def __init__(self, store: Store, services: ServiceAddresses, host: Host) -> None:
        self._store = store
        self._services = services
        self._host = host
        self._containers: dict[tuple[str, str], Container] = {}

    def container(self, namespace: str, name: str) -> Container:
        """Give the container of a pod.

        Raises:
            Refused: it was not started yet.
        """
        found = self._containers.get((namespace, name))
        if found is None:
            raise bad_request(f'container in pod "{name}" is waiting to start: ContainerCreating')
        return found

    async def run(self, pod: Manifest) -> None:
        """Run a pod until its program ends."""
        (container,) = pod["spec"]["containers"]
        repository = container["image"].rsplit("/", 1)[-1]
        if repository in self._host.programs:
            self._listens(pod, self._host.programs[repository])
            await self._tell(pod, ready=True, state={"running": {}})
        elif repository.partition(":")[0] == WORKER:
            await self._run_ours(pod, container)
        else:
            await self._tell(pod, ready=False, state={"waiting": {"reason": "ErrImagePull"}})

    async def _run_ours(self, pod: Manifest, container: Manifest) -> None:
        await self._tell(pod, ready=False, state={"waiting": {"reason": "ContainerCreating"}})
        await self._store.until(lambda: self._lacks(pod) == [])
        numbers = [port["containerPort"] for port in container.get("ports", [])]
        ports = Ports(dict(zip(numbers, free_ports(len(numbers)), strict=True)))
        self._listens(pod, {number: ("127.0.0.1", local) for number, local in ports.local.items()})
        unpacked = self._unpacked(pod)
        namespace, name = _place(pod)
        environment = {
            **{key: self._services.resolved(namespace, value) for key, value in unpacked.environment.items()},
            **(ports.settings(_ADMIN) if container["args"] == ["run"] else {}),
            **self._host.settings,
        }
        async with started(ports.arguments(container["args"]), environment, self._folder(pod, container)) as running:
            self._containers[namespace, name] = running
            await self._tell(pod, ready=False, state={"running": {}})
            async with asyncio.TaskGroup() as group:
                probing = group.create_task(self._probe(pod, container["readinessProbe"]["httpGet"], ports))
                bringing = group.create_task(self._bring_changes(pod, unpacked))
                status = await running.process.ends()
                probing.cancel()
                bringing.cancel()
        await self._tell(pod, ready=False, state={"terminated": {"exitCode": status, "reason": "Error"}})

    def _lacks(self, pod: Manifest) -> list[str]:
        """List what is named and not there; Kubernetes starts no container before it is."""
        namespace, spec = pod["metadata"]["namespace"], pod["spec"]
        (container,) = spec["containers"]
        named = [
            *((CONFIG_MAP, each["configMapRef"]["name"]) for each in container.get("envFrom", [])),
            *((SERVICE_ACCOUNT, spec[field]) for field in ("serviceAccountName",) if field in spec),
            *(
                (VOLUME_CLAIM, volume["persistentVolumeClaim"]["claimName"])
                for volume in spec.get("volumes", [])
                if "persistentVolumeClaim" in volume
            ),
        ]
        lacking = [f"{kind.name} {name}" for kind, name in named if self._store.get(kind, namespace, name) is None]
        if lacking:
            return lacking
        values = self._values(namespace)
        return [f"{key.kind} {key.source}, {key.key}" for key in self._pod(pod).required_keys() if key not in values]

    def _pod(self, pod: Manifest) -> WorkerPod:
        objects = Rendered("", tuple(self._store.all(namespace=pod["metadata"]["namespace"])))
        return WorkerPod(objects, pod["metadata"]["labels"]["app.kubernetes.io/name"])

    def _values(self, namespace: str) -> dict[Key, str]:
        """Read every key of every Secret and ConfigMap."""
        secrets = {
            Key("secret", found["metadata"]["name"], name): base64.b64decode(value).decode()
            for found in self._store.all(SECRET, namespace)
            for name, value in found.get("data", {}).items()
        }
        plain = {
            Key("configMap", found["metadata"]["name"], name): value
            for found in self._store.all(CONFIG_MAP, namespace)
            for name, value in found.get("data", {}).items()
        }
        return {key: self._services.resolved(namespace, value) for key, value in {**secrets, **plain}.items()}

    def _unpacked(self, pod: Manifest) -> UnpackedPod:
        folder = self._host.folder / "pods" / pod["metadata"]["name"]
        folder.mkdir(parents=True)
        return self._pod(pod).unpack(folder, self._values(pod["metadata"]["namespace"]))

    def _folder(self, pod: Manifest, container: Manifest) -> Path:
        """Give the working directory: that of a claim where one is mounted there."""
        volume = self._pod(pod).volume_at(container.get("workingDir", "/"))
        claim = (volume or {}).get("persistentVolumeClaim", {}).get("claimName")
        folder = self._host.folder / ("claims" if claim else "pods") / (claim or f"{pod['metadata']['name']}-work")
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    async def _probe(self, pod: Manifest, probe: Manifest, ports: Ports) -> None:
        (container,) = pod["spec"]["containers"]
        numbers = {port["name"]: port["containerPort"] for port in container["ports"]}
        address = f"http://127.0.0.1:{ports.local[numbers[probe['port']]]}{probe['path']}"
        async with httpx.AsyncClient(trust_env=False) as client:
            await AsyncRetrying(wait=wait_fixed(_PROBE_INTERVAL), retry=retry_if_not_result(bool))(
                _answers, client, address
            )
        await self._tell(pod, ready=True, state={"running": {}})

    async def _bring_changes(self, pod: Manifest, unpacked: UnpackedPod) -> None:
        namespace = pod["metadata"]["namespace"]
        before = self._values(namespace)
        while True:
            await self._store.later_than(self._store.version)
            now = self._values(namespace)
            for key in [key for key, value in now.items() if before.get(key) != value]:
                unpacked.change(key, now[key])
            before = now

    def _listens(self, pod: Manifest, ports: Mapping[int, Address]) -> None:
        self._services.listens(*_place(pod), ports)

    async def _tell(self, pod: Manifest, *, ready: bool, state: Manifest) -> None:
        (container,) = pod["spec"]["containers"]
        phase = {"waiting": "Pending", "running": "Running", "terminated": "Failed"}[next(iter(state))]
        status = {
            "phase": phase,
            "conditions": [{"type": "Ready", "status": str(ready)}],
            "containerStatuses": [
                {
                    "name": container["name"],
                    "image": container["image"],
                    "imageID": "",
                    "ready": ready,
                    "restartCount": 0,
                    "state": state,
                }
            ],
        }
        await self._store.set_status(POD, *_place(pod), status)


def _place(pod: Manifest) -> tuple[str, str]:
    return pod["metadata"]["namespace"], pod["metadata"]["name"]


async def _answers(client: httpx.AsyncClient, address: str) -> bool:
    try:
        return (await client.get(address)).is_success
    except httpx.TransportError:
        return False
