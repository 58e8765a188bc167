"""Every composition: is it complete, valid and consistent in itself?"""

import copy
import tomllib
from pathlib import Path

from tests.deploy.harness.command import ROOT
from tests.deploy.kubernetes.compositions import COMPONENTS, COMPOSITIONS, KUBERNETES, written_overlay
from tests.deploy.kubernetes.conftest import Composed
from tests.deploy.kubernetes.operator_objects import is_of_an_operator, operator_faults
from tests.deploy.kubernetes.rendering import WORKER, Manifest, Rendered, containers, render
from tests.deploy.kubernetes.schemas import schema_fault
from tests.deploy.kubernetes.worker_pod import WorkerPod

VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def test_every_overlay_and_every_component_is_among_the_compositions() -> None:
    overlays = {folder.name for folder in (KUBERNETES / "overlays").iterdir()}
    components = {folder.name for folder in (KUBERNETES / "components").iterdir()}

    assert overlays == {composition.overlay for composition in COMPOSITIONS} - {None}
    # The base and the overlays take this one themselves.
    assert components == {*COMPONENTS, "release"}


def test_each_built_in_object_is_valid(composed: Composed) -> None:
    found = [manifest for manifest in composed.rendered.objects if not is_of_an_operator(manifest)]

    assert {"Deployment", "NetworkPolicy"} <= {manifest["kind"] for manifest in found}
    assert [fault for manifest in found if (fault := schema_fault(manifest))] == []


def test_each_object_of_an_operator_is_valid(composed: Composed) -> None:
    found = [manifest for manifest in composed.rendered.objects if is_of_an_operator(manifest)]
    kinds = {"keda": {"ScaledObject", "TriggerAuthentication"}, "monitoring": {"PodMonitor", "PrometheusRule"}}

    assert {manifest["kind"] for manifest in found} == {
        kind for component, made in kinds.items() if composed.has(component) for kind in made
    }
    assert [fault for manifest in found for fault in operator_faults(manifest)] == []


def test_a_misspelt_field_is_found(kubectl: str) -> None:
    production = render(kubectl, KUBERNETES / "overlays" / "production")
    deployment, scaler = copy.deepcopy((production.one("Deployment"), production.one("ScaledObject")))
    deployment["spec"]["template"]["spec"]["terminationGracePeriod"] = 90
    scaler["spec"]["minReplicas"] = 2

    assert "terminationGracePeriod" in (schema_fault(deployment) or "")
    assert operator_faults(scaler) == ["spec.minReplicas: Extra inputs are not permitted"]


def test_the_image_has_the_tag_of_this_release(composed: Composed) -> None:
    images = {container["image"] for workload in composed.rendered.workloads() for container in containers(workload)}

    assert {image.rsplit("/", 1)[-1] for image in images} == {f"{WORKER}:{VERSION}"}


def test_the_base_names_no_release_of_its_own() -> None:
    naming = [file for file in KUBERNETES.rglob("*.y*ml") if "newTag:" in file.read_text()]

    assert naming == [KUBERNETES / "components" / "release" / "kustomization.yaml"]


def test_the_pod_runs_as_the_image_is_built(composed: Composed) -> None:
    pod = composed.pod
    security = pod.spec["securityContext"]

    assert f"\nUSER {security['runAsUser']}:{security['runAsGroup']}\n" in DOCKERFILE
    assert f"\nWORKDIR {pod.container['workingDir']}\n" in DOCKERFILE
    assert f"\nEXPOSE {pod.container['ports'][0]['containerPort']}\n" in DOCKERFILE
    assert '\nENTRYPOINT ["videogen-worker"]\n' in DOCKERFILE
    assert pod.container["args"] == ["run"]
    assert "command" not in pod.container


def test_what_selects_the_workers_selects_them_and_nothing_else(composed: Composed) -> None:
    rendered = composed.rendered
    selectors = {
        f"{found['kind']} {found['metadata']['name']}": labels
        for found in rendered.objects
        for labels in _worker_selectors(found)
    }
    pods = {
        found["metadata"]["name"]: found["spec"]["template"]["metadata"]["labels"] for found in rendered.workloads()
    }

    assert {
        "Deployment videogen-worker",
        "PodDisruptionBudget videogen-worker",
        "NetworkPolicy videogen-worker",
    } <= set(selectors)
    for what, labels in selectors.items():
        assert labels, f"{what} selects everything"
        selected = [name for name, given in pods.items() if labels.items() <= given.items()]
        assert selected == [WORKER], what


def test_a_service_selects_pods_that_listen_where_it_sends(composed: Composed) -> None:
    rendered = composed.rendered
    for service in rendered.all("Service"):
        selector = service["spec"]["selector"]
        (pod,) = (
            found["spec"]["template"]
            for found in rendered.workloads()
            if selector.items() <= found["spec"]["template"]["metadata"]["labels"].items()
        )
        named = {port["name"]: port["containerPort"] for port in pod["spec"]["containers"][0]["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= named.keys()


def test_the_workers_have_no_service(composed: Composed) -> None:
    # Nobody connects to them but the scraper, which finds pods. A Service would add VIDEOGEN_WORKER_... variables.
    assert WORKER not in {found["metadata"]["name"] for found in composed.rendered.all("Service")}
    assert composed.pod.spec["enableServiceLinks"] is False


def test_one_worker_at_a_time_may_be_evicted(composed: Composed) -> None:
    budget = composed.rendered.one("PodDisruptionBudget")["spec"]

    assert budget["maxUnavailable"] == 1
    assert "minAvailable" not in budget
    # All workers are unready while the broker is away, and a node must still be drained.
    assert budget["unhealthyPodEvictionPolicy"] == "AlwaysAllow"


def test_what_the_pod_names_is_there(composed: Composed) -> None:
    rendered, spec = composed.rendered, composed.pod.spec
    mounts = {mount["name"] for mount in composed.pod.container["volumeMounts"]}
    claims = [
        volume["persistentVolumeClaim"]["claimName"] for volume in spec["volumes"] if "persistentVolumeClaim" in volume
    ]

    assert mounts == {volume["name"] for volume in spec["volumes"]}
    assert claims == [found["metadata"]["name"] for found in rendered.all("PersistentVolumeClaim")]
    assert [spec["serviceAccountName"]] == [found["metadata"]["name"] for found in rendered.all("ServiceAccount")]
    classes = [found["metadata"]["name"] for found in rendered.all("PriorityClass")]
    assert [spec["priorityClassName"]] == classes if "priorityClassName" in spec else classes == []


def test_workers_are_spread_over_zones_and_hosts(composed: Composed) -> None:
    constraints = composed.pod.spec["topologySpreadConstraints"]

    assert {constraint["topologyKey"] for constraint in constraints} == {
        "topology.kubernetes.io/zone",
        "kubernetes.io/hostname",
    }
    labels = composed.rendered.one("Deployment")["spec"]["template"]["metadata"]["labels"]
    for constraint in constraints:
        assert constraint["labelSelector"]["matchLabels"].items() <= labels.items()


def test_all_that_has_a_namespace_is_in_that_of_the_overlay(composed: Composed) -> None:
    wanted = {"dev": "videogen-dev", "production": "videogen"}.get(composed.composition.overlay or "")
    namespaces = {
        found["metadata"].get("namespace") for found in composed.rendered.objects if found["kind"] != "PriorityClass"
    }

    assert namespaces == {wanted}


def test_a_changed_setting_rolls_the_pods(kubectl: str, base: Rendered, tmp_path: Path) -> None:
    changed = render(kubectl, written_overlay(tmp_path))

    names = [WorkerPod(rendered).container["envFrom"][0]["configMapRef"]["name"] for rendered in (base, changed)]
    assert names[0] != names[1]
    assert all(name.startswith(f"{WORKER}-") for name in names)


def test_dev_calls_the_simulator_that_it_brings(kubectl: str) -> None:
    dev = render(kubectl, KUBERNETES / "overlays" / "dev")
    service = dev.one("Service", "videogen-simulator")
    (container,) = containers(dev.one("Deployment", "videogen-simulator"))
    (port,) = service["spec"]["ports"]

    assert WorkerPod(dev).environment()["VIDEOGEN_ENDPOINT__BASE_URL"] == f"http://videogen-simulator:{port['port']}"
    assert f"--port={container['ports'][0]['containerPort']}" in container["args"]
    assert container["args"][0] == "simulate"


def _worker_selectors(manifest: Manifest) -> list[dict[str, str]]:
    spec = manifest.get("spec", {})
    match manifest["kind"]:
        case "Deployment" if manifest["metadata"]["name"] == WORKER:
            return [spec["selector"]["matchLabels"]]
        case "PodDisruptionBudget" | "PodMonitor":
            return [spec["selector"]["matchLabels"]]
        case "NetworkPolicy":
            return [spec["podSelector"]["matchLabels"]]
        case _:
            return []
