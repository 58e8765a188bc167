"""A worker with the environment and the files that a rendered pod would give it."""

import signal
from pathlib import Path

import httpx

from service.adapters.catalogue_file import load_catalogue
from service.private_broker.free_ports import free_ports
from service.simulator.options import SimulatorOptions
from service.simulator.server import Simulator
from tests.deploy.kubernetes.compositions import KUBERNETES, Composition
from tests.deploy.kubernetes.given_values import API_KEY, BROKER_URL, MANAGEMENT_URL, values_for
from tests.deploy.kubernetes.rendering import render
from tests.deploy.kubernetes.worker_pod import WorkerPod
from tests.e2e.test_requests import replies_of, request
from tests.support.process import process
from tests.support.requester import open_requester


async def test_the_pod_of_dev_works_takes_a_new_key_and_stops_cleanly(
    kubectl: str, broker_url: str, prefix: str, tmp_path: Path
) -> None:
    pod = WorkerPod(render(kubectl, KUBERNETES / "overlays" / "dev"))
    values = {**values_for(Composition(overlay="dev")), BROKER_URL: broker_url, API_KEY: "first", MANAGEMENT_URL: ""}
    unpacked = pod.unpack(tmp_path, values)
    volume = tmp_path / "data"
    volume.mkdir()
    (port,) = free_ports(1)
    async with Simulator(SimulatorOptions(api_key="first"), load_catalogue(None)) as simulator:
        # What is shared on this machine, and would not be in a pod.
        own = {
            "VIDEOGEN_ADMIN__PORT": str(port),
            "VIDEOGEN_BROKER__PREFIX": prefix,
            "VIDEOGEN_ENDPOINT__BASE_URL": simulator.base_url,
        }
        arguments: list[str] = pod.container["args"]
        async with (
            process(*arguments, environment={**unpacked.environment, **own}, folder=volume) as worker,
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as kubelet,
            open_requester(broker_url, prefix) as requester,
        ):
            await worker.says("consumer active")
            for name in ("startup", "liveness", "readiness"):
                assert (await kubelet.get(pod.container[f"{name}Probe"]["httpGet"]["path"])).status_code == 200

            await requester.send(request("a cat"), "r1")
            assert (await replies_of(requester, 1))[0].body["status"] == "submitted"

            simulator.switches.accept_key("second")
            unpacked.change(API_KEY, "second")
            await requester.send(request("a dog"), "r2")
            assert (await replies_of(requester, 1))[0].body["status"] == "submitted"

            worker.signal(signal.SIGTERM)
            assert await worker.exits() == 0
    assert [post.status for post in simulator.record.posts] == [200, 200]
    # The ledger is on the volume that the pod mounts at its working directory.
    assert pod.volume_at(pod.container["workingDir"]) == {
        "name": "ledger",
        "persistentVolumeClaim": {"claimName": "videogen-worker-ledger"},
    }
    assert (volume / "videogen-ledger.db").stat().st_size > 0
