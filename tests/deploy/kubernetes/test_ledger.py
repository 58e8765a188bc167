"""No combination may lose the ledger, or give two workers one each."""

from pathlib import Path

import pytest

from service.settings import Settings
from tests.deploy.kubernetes.compositions import Composition, written_overlay
from tests.deploy.kubernetes.conftest import Composed
from tests.deploy.kubernetes.given_values import values_for
from tests.deploy.kubernetes.ledger_rule import ledger_faults
from tests.deploy.kubernetes.rendering import NotRenderedError, render
from tests.deploy.kubernetes.worker_pod import WorkerPod

_DEPLOYMENT = {"kind": "Deployment", "name": "videogen-worker"}
_CLAIM = {"kind": "PersistentVolumeClaim", "name": "videogen-worker-ledger"}
_EMPTY_DIR = """
- op: replace
  path: /spec/template/spec/volumes/1
  value: {name: ledger, emptyDir: {}}
"""


def _replaced(path: str, value: str) -> str:
    return f"- {{op: replace, path: {path}, value: {value}}}"


UNSAFE: dict[str, dict[str, object]] = {
    "more than one replica with a SQLite ledger": {
        "patches": [{"target": _DEPLOYMENT, "patch": _replaced("/spec/replicas", "3")}]
    },
    "a rollout that runs two workers beside each other with a SQLite ledger": {
        "patches": [{"target": _DEPLOYMENT, "patch": _replaced("/spec/strategy", "{type: RollingUpdate}")}]
    },
    "a SQLite ledger on a disk that goes with the pod": {"patches": [{"target": _DEPLOYMENT, "patch": _EMPTY_DIR}]},
    "a volume that more than one pod may write": {
        "patches": [{"target": _CLAIM, "patch": _replaced("/spec/accessModes", "[ReadWriteMany]")}]
    },
}


def test_the_ledger_is_safe(composed: Composed, settings: Settings) -> None:
    assert ledger_faults(composed.rendered, settings) == []


@pytest.mark.parametrize("fault", UNSAFE)
def test_an_unsafe_overlay_is_found(fault: str, kubectl: str, tmp_path: Path) -> None:
    (tmp_path / "overlay").mkdir()
    rendered = render(kubectl, written_overlay(tmp_path / "overlay", more=UNSAFE[fault]))
    settings = WorkerPod(rendered).unpack(tmp_path, values_for(Composition())).settings()

    assert ledger_faults(rendered, settings) == [fault]


def test_a_worker_without_a_ledger_is_found(kubectl: str, tmp_path: Path) -> None:
    (tmp_path / "overlay").mkdir()
    overlay = written_overlay(tmp_path / "overlay")
    kustomization = overlay / "kustomization.yaml"
    kustomization.write_text(kustomization.read_text().replace("literals:", "literals:\n  - VIDEOGEN_LEDGER__URL=none"))
    rendered = render(kubectl, overlay)
    settings = WorkerPod(rendered).unpack(tmp_path, values_for(Composition())).settings()

    assert ledger_faults(rendered, settings) == ["there is no ledger"]


@pytest.mark.parametrize("components", [("keda",), ("keda", "redis-ledger")], ids="+".join)
def test_keda_without_redis_before_it_does_not_render(
    components: tuple[str, ...], kubectl: str, tmp_path: Path
) -> None:
    with pytest.raises(NotRenderedError, match="/spec/strategy/type"):
        render(kubectl, written_overlay(tmp_path, components))


def test_a_rollout_of_several_workers_has_no_gap(composed: Composed) -> None:
    deployment = composed.rendered.one("Deployment")["spec"]
    if composed.has("redis-ledger"):
        assert deployment["strategy"] == {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1},
        }
        assert composed.rendered.all("PersistentVolumeClaim") == []
    else:
        assert deployment["strategy"] == {"type": "Recreate"}


def test_with_redis_there_are_at_least_two_workers(composed: Composed) -> None:
    if composed.has("redis-ledger"):
        least = [found["spec"]["minReplicaCount"] for found in composed.rendered.all("ScaledObject")]
        assert (least or [composed.rendered.one("Deployment")["spec"]["replicas"]])[0] >= 2
    else:
        assert composed.rendered.one("Deployment")["spec"]["replicas"] == 1


def test_a_pod_whose_secret_lacks_the_address_of_redis_does_not_start(composed: Composed) -> None:
    # With an optional key it would start a SQLite ledger of its own.
    volumes = [volume for volume in composed.pod.spec["volumes"] if volume["name"] == "ledger-url"]

    assert bool(volumes) is composed.has("redis-ledger")
    for volume in volumes:
        assert [item["key"] for item in volume["secret"]["items"]] == ["VIDEOGEN_LEDGER__URL"]
        assert not volume["secret"].get("optional")
