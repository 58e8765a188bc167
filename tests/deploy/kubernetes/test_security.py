"""Kubernetes' Pod Security Standard "restricted", field by field, and what the project asks for beyond it."""

import copy
from collections.abc import Callable, Iterator

import pytest

from tests.deploy.kubernetes.conftest import Composed
from tests.deploy.kubernetes.rendering import Manifest, Rendered, containers

# Kubernetes documentation, "Pod Security Standards", Restricted: volume types.
_VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
_HOST = ("hostNetwork", "hostPID", "hostIPC")
USER = 65532


def faults(workload: Manifest) -> list[str]:
    """List what of a workload's pod is not restricted."""
    pod = workload["spec"]["template"]["spec"]
    return [*_pod_faults(pod), *(fault for container in containers(workload) for fault in _container_faults(container))]


def _pod_faults(pod: Manifest) -> Iterator[str]:
    security = pod.get("securityContext", {})
    yield from (name for name in _HOST if pod.get(name))
    if security.get("runAsNonRoot") is not True:
        yield "runAsNonRoot"
    if security.get("runAsUser") != USER or security.get("runAsGroup") != USER:
        yield "runAsUser"
    if security.get("seccompProfile") != {"type": "RuntimeDefault"}:
        yield "seccompProfile"
    if pod.get("automountServiceAccountToken") is not False:
        yield "automountServiceAccountToken"
    for volume in pod.get("volumes", []):
        if not volume.keys() - {"name"} <= _VOLUMES:
            yield "volumes"


def _container_faults(container: Manifest) -> Iterator[str]:
    security = container.get("securityContext", {})
    if security.get("allowPrivilegeEscalation") is not False:
        yield "allowPrivilegeEscalation"
    if security.get("readOnlyRootFilesystem") is not True:
        yield "readOnlyRootFilesystem"
    if security.get("capabilities") != {"drop": ["ALL"]}:
        yield "capabilities"
    if security.get("privileged"):
        yield "privileged"
    # What the pod says holds unless the container says otherwise.
    yield from (name for name in ("runAsNonRoot", "runAsUser", "runAsGroup", "seccompProfile") if name in security)
    yield from ("hostPort" for port in container.get("ports", []) if "hostPort" in port)


def test_every_pod_is_restricted(composed: Composed) -> None:
    found = {workload["metadata"]["name"]: faults(workload) for workload in composed.rendered.workloads()}

    assert "videogen-worker" in found
    assert {name: faults for name, faults in found.items() if faults} == {}


def test_no_token_of_the_kubernetes_api_is_mounted(composed: Composed) -> None:
    (account,) = composed.rendered.all("ServiceAccount")

    assert account["automountServiceAccountToken"] is False
    kinds = {found["kind"] for found in composed.rendered.objects}
    assert kinds.isdisjoint({"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"})


def test_secrets_are_mounted_to_be_read_by_the_group_alone(composed: Composed) -> None:
    pod = composed.pod
    assert pod.spec["securityContext"]["fsGroup"] == USER
    secret = [volume for volume in pod.spec["volumes"] if "secret" in volume or "projected" in volume]
    mounts = {mount["name"]: mount for mount in pod.container["volumeMounts"]}

    assert secret
    for volume in secret:
        assert (volume.get("secret") or volume["projected"])["defaultMode"] == 0o440
        assert mounts[volume["name"]]["readOnly"] is True


def test_no_environment_variable_comes_from_a_secret(composed: Composed) -> None:
    # It could not change while the worker runs, and every crash dump would show it.
    for workload in composed.rendered.workloads():
        for container in containers(workload):
            assert all("secretRef" not in source for source in container.get("envFrom", []))
            assert all("valueFrom" not in entry for entry in container.get("env", []))


def _pod(workload: Manifest) -> Manifest:
    found: Manifest = workload["spec"]["template"]["spec"]
    return found


def _own(workload: Manifest) -> Manifest:
    found: Manifest = containers(workload)[0]["securityContext"]
    return found


_LOOSENED: dict[str, Callable[[Manifest], object]] = {
    "runAsNonRoot": lambda workload: _pod(workload)["securityContext"].pop("runAsNonRoot"),
    "runAsUser": lambda workload: _pod(workload)["securityContext"].update(runAsUser=0),
    "seccompProfile": lambda workload: _pod(workload)["securityContext"].pop("seccompProfile"),
    "automountServiceAccountToken": lambda workload: _pod(workload).pop("automountServiceAccountToken"),
    "hostNetwork": lambda workload: _pod(workload).update(hostNetwork=True),
    "volumes": lambda workload: _pod(workload)["volumes"].append({"name": "host", "hostPath": {"path": "/"}}),
    "allowPrivilegeEscalation": lambda workload: _own(workload).pop("allowPrivilegeEscalation"),
    "readOnlyRootFilesystem": lambda workload: _own(workload).update(readOnlyRootFilesystem=False),
    "capabilities": lambda workload: _own(workload)["capabilities"].update(add=["NET_ADMIN"]),
    "privileged": lambda workload: _own(workload).update(privileged=True),
    "hostPort": lambda workload: containers(workload)[0]["ports"][0].update(hostPort=8080),
}


@pytest.mark.parametrize("fault", _LOOSENED)
def test_a_pod_that_is_less_than_restricted_is_found(fault: str, base: Rendered) -> None:
    workload = copy.deepcopy(base.one("Deployment"))
    _LOOSENED[fault](workload)

    assert faults(workload) == [fault]
