"""What makes commands fail at a cluster makes them fail here: else a page that runs would show nothing."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.deploy.kubernetes.cluster.kinds import CONFIG_MAP, DEPLOYMENT, POD, SECRET
from tests.deploy.kubernetes.cluster.kubelet import Host
from tests.deploy.kubernetes.cluster.stand_in import StandIn, stand_in
from tests.deploy.kubernetes.rendering import Manifest

LIMIT = 30.0
# Long enough for a pod to start, where it can.
PATIENCE = 15.0


@dataclass(frozen=True, slots=True)
class Client:
    """kubectl, at a stand-in."""

    kubectl: str
    cluster: StandIn
    folder: Path

    async def __call__(self, line: str, *more: str) -> str:
        """Run a command that must work."""
        status, said = await self.attempt(line, *more)
        assert status == 0, said
        return said

    async def fails(self, line: str, *more: str) -> str:
        """Run a command that must not."""
        status, said = await self.attempt(line, *more)
        assert status != 0, said
        return said

    async def attempt(self, line: str, *more: str) -> tuple[int, str]:
        child = await asyncio.create_subprocess_exec(
            *(self.kubectl, *line.split(), *more),
            env={**os.environ, **self.cluster.environment},
            cwd=self.folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        async with asyncio.timeout(LIMIT):
            said, _ = await child.communicate()
        assert child.returncode is not None
        return child.returncode, said.decode()

    async def apply(self, *manifests: Manifest) -> str:
        return await self(f"apply -f {self.write(*manifests)}")

    def write(self, *manifests: Manifest) -> str:
        (self.folder / "manifests.yaml").write_text(yaml.safe_dump_all(manifests))
        return "manifests.yaml"


@asynccontextmanager
async def at_a_cluster(kubectl: str, folder: Path, patience: float = PATIENCE) -> AsyncIterator[Client]:
    async with stand_in(Host(folder, {"rabbitmq:4": {5672: ("127.0.0.1", 9)}}), patience) as cluster:
        yield Client(kubectl, cluster, folder)


def simulator(**changes: object) -> Manifest:
    """A Deployment of ours that needs nothing else: the simulated endpoint."""
    labels = {"app.kubernetes.io/name": "endpoint"}
    container = {
        "name": "simulator",
        "image": "registry.example.com/videogen-worker:9",
        "args": ["simulate", "--host=0.0.0.0", "--port=9090"],
        "ports": [{"name": "http", "containerPort": 9090}],
        "readinessProbe": {"httpGet": {"path": "/_sim/summary", "port": "http"}},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "endpoint"},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [{**container, **changes}]}},
        },
    }


async def test_a_namespace_that_is_missing_takes_nothing(kubectl: str, tmp_path: Path) -> None:
    async with at_a_cluster(kubectl, tmp_path) as client:
        said = await client.fails("-n nowhere create secret generic one --from-literal=a=b")
        assert 'namespaces "nowhere" not found' in said

        await client("create namespace nowhere")
        await client("-n nowhere create secret generic one --from-literal=a=b")
        found = client.cluster.store.get(SECRET, "nowhere", "one")
        assert found is not None
        assert found["data"] == {"a": "Yg=="}
        assert client.cluster.unplayed == []


async def test_what_is_there_is_not_made_twice_but_applied_again(kubectl: str, tmp_path: Path) -> None:
    async with at_a_cluster(kubectl, tmp_path) as client:
        settings = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one"}, "data": {"a": "1", "b": "2"}}
        assert "created" in await client(f"create -f {client.write(settings)}")
        assert "already exists" in await client.fails("create -f manifests.yaml")

        await client.apply({**settings, "data": {"a": "3", "b": "2"}})
        assert "unchanged" in await client.apply({**settings, "data": {"a": "3", "b": "2"}})
        await client.apply({**settings, "data": {"b": "2"}})
        found = client.cluster.store.get(CONFIG_MAP, "default", "one")
        assert found is not None
        assert found["data"] == {"b": "2"}
        assert client.cluster.unplayed == []


async def test_a_dry_run_and_a_diff_leave_nothing(kubectl: str, tmp_path: Path) -> None:
    async with at_a_cluster(kubectl, tmp_path) as client:
        before = client.cluster.store.version
        file = client.write(simulator())
        assert "server dry run" in await client(f"apply --dry-run=server -f {file}")
        assert "+kind: Deployment" in await client.fails(f"diff -f {file}")
        assert client.cluster.store.version == before


@pytest.mark.parametrize(
    ("manifest", "fault"),
    [
        ({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}, "strData": {}}, "strData"),
        ({"apiVersion": "v1", "kind": "Secrt", "metadata": {"name": "a"}}, "error validating"),
        (
            {"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": {"name": "a"}, "spec": {"x": 1}},
            "spec.x: Extra inputs are not permitted",
        ),
    ],
)
async def test_a_slip_in_a_manifest_is_refused(kubectl: str, tmp_path: Path, manifest: Manifest, fault: str) -> None:
    async with at_a_cluster(kubectl, tmp_path) as client:
        assert fault in await client.fails(f"apply -f {client.write(manifest)}")


async def test_a_pod_runs_says_what_it_does_and_takes_commands(kubectl: str, tmp_path: Path) -> None:
    async with at_a_cluster(kubectl, tmp_path) as client:
        await client.apply(simulator())
        assert "successfully rolled out" in await client("rollout status deployment/endpoint")
        assert "Simulated endpoint at" in await client("logs -l app.kubernetes.io/name=endpoint --prefix --since 10m")
        assert "No resources found" in await client("logs -l app.kubernetes.io/name=another")

        assert "videogen-worker" in await client("exec deployment/endpoint -- videogen-worker --version")
        status, said = await client.attempt("exec deployment/endpoint -- videogen-worker submit --modle x")
        assert (status, "No such option" in said) == (2, True)
        assert "executable file not found" in await client.fails("exec deployment/endpoint -- sh")
        assert '"elsewhere" not found' in await client.fails("exec deployment/elsewhere -- videogen-worker check")
        assert client.cluster.unplayed == []


async def test_a_pod_waits_for_the_key_that_it_mounts_and_for_no_other(kubectl: str, tmp_path: Path) -> None:
    mounting = simulator(volumeMounts=[{"name": "keys", "mountPath": "/run/keys"}])
    source = {"secretName": "keys", "items": [{"key": "wanted", "path": "wanted"}]}
    mounting["spec"]["template"]["spec"]["volumes"] = [{"name": "keys", "secret": source}]
    async with at_a_cluster(kubectl, tmp_path, patience=1.0) as client:
        await client.apply(mounting)
        await client("create secret generic keys --from-literal=wantd=x")
        assert "exceeded its progress deadline" in await client.fails("rollout status deployment/endpoint")
        assert "ContainerCreating" in await client.fails("exec deployment/endpoint -- videogen-worker --version")

    async with at_a_cluster(kubectl, tmp_path) as client:
        await client.apply(mounting)
        await client("create secret generic keys --from-literal=wanted=x")
        assert "successfully rolled out" in await client("rollout status deployment/endpoint")


@pytest.mark.parametrize("change", [{"image": "videogen-workr:9"}, {"args": ["simulate", "--prot=9090"]}])
async def test_a_pod_that_cannot_start_is_never_available(
    kubectl: str, tmp_path: Path, change: dict[str, object]
) -> None:
    async with at_a_cluster(kubectl, tmp_path, patience=3.0) as client:
        await client.apply(simulator(**change))
        assert "exceeded its progress deadline" in await client.fails("rollout status deployment/endpoint")
        (pod,) = client.cluster.store.all(POD)
        (status,) = pod["status"]["containerStatuses"]
        assert not status["ready"]


async def test_what_is_not_played_is_refused_and_told(kubectl: str, tmp_path: Path) -> None:
    async with at_a_cluster(kubectl, tmp_path) as client:
        await client.apply(simulator())
        await client.fails("delete deployment endpoint --wait=false")
        await client.fails("scale deployment endpoint --replicas=2")
        await client.fails("apply -f", client.write(simulator(args=["simulate", "--port=9091"])))
        assert len(client.cluster.unplayed) == 3
        found = client.cluster.store.get(DEPLOYMENT, "default", "endpoint")
        assert found is not None
        assert found["metadata"]["generation"] == 1
