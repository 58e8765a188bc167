"""The rule that keeps a request from being paid for twice: which ledger goes with how many workers (docs/ledger.md)."""

from collections.abc import Iterator
from pathlib import Path

from service.settings import NO_LEDGER, SQLITE_SCHEME, Settings
from tests.deploy.kubernetes.rendering import Rendered
from tests.deploy.kubernetes.worker_pod import WorkerPod


def ledger_faults(rendered: Rendered, settings: Settings) -> list[str]:
    """List what makes a ledger forget, or makes two where there must be one."""
    url = settings.ledger.url.get_secret_value()
    if url == NO_LEDGER:
        return ["there is no ledger"]
    return [*_sqlite_faults(rendered, url)] if url.startswith(SQLITE_SCHEME) else []


def _sqlite_faults(rendered: Rendered, url: str) -> Iterator[str]:
    deployment = rendered.one("Deployment")["spec"]
    if deployment.get("replicas") != 1:
        yield "more than one replica with a SQLite ledger"
    if rendered.all("ScaledObject") or rendered.all("HorizontalPodAutoscaler"):
        yield "a scaler with a SQLite ledger"
    if deployment.get("strategy") != {"type": "Recreate"}:
        yield "a rollout that runs two workers beside each other with a SQLite ledger"
    yield from _volume_faults(rendered, WorkerPod(rendered), url.removeprefix(SQLITE_SCHEME))


def _volume_faults(rendered: Rendered, pod: WorkerPod, path: str) -> Iterator[str]:
    volume = pod.volume_at(str(Path(pod.container["workingDir"]) / path))
    if volume is None or "persistentVolumeClaim" not in volume:
        yield "a SQLite ledger on a disk that goes with the pod"
        return
    claim = rendered.one("PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"])
    if claim["spec"]["accessModes"] != ["ReadWriteOncePod"]:
        yield "a volume that more than one pod may write"
