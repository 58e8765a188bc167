"""Makes pods of Deployments, and tells how far they are: the cluster's controllers."""

import asyncio
import hashlib
import json
from collections.abc import Callable, Coroutine
from uuid import uuid4

from tests.deploy.kubernetes.cluster.kinds import DEPLOYMENT, POD, REPLICA_SET
from tests.deploy.kubernetes.cluster.service_addresses import is_ready
from tests.deploy.kubernetes.cluster.store import Store
from tests.deploy.kubernetes.rendering import Manifest

_HASH = "pod-template-hash"

RunPod = Callable[[Manifest], Coroutine[None, None, None]]


class Deployments:
    """Brings what is there to what is wanted.

    `patience` are the seconds within which a Deployment must be available, in the place of its
    `progressDeadlineSeconds`.
    """

    def __init__(self, store: Store, run_pod: RunPod, group: asyncio.TaskGroup, patience: float) -> None:
        self._store = store
        self._run_pod = run_pod
        self._group = group
        self._patience = patience
        self._late: set[str] = set()
        self._tasks: list[asyncio.Task[None]] = []

    def stop(self) -> None:
        """End every pod."""
        for task in self._tasks:
            task.cancel()

    async def renew(self) -> None:
        """Make the pods that are missing, and tell of each Deployment how far it is."""
        for deployment in self._store.all(DEPLOYMENT):
            await self._renew(deployment)

    async def _renew(self, deployment: Manifest) -> None:
        namespace, spec = deployment["metadata"]["namespace"], deployment["spec"]
        labels, wanted = spec["selector"]["matchLabels"], spec.get("replicas", 1)
        pods = self._store.all(POD, namespace, labels)
        if not pods:
            replica_set = await self._replica_set(deployment)
            self._goes_on(self._becomes_late(deployment))
            for _ in range(wanted):
                pod = await self._store.put(POD, _pod_of(replica_set))
                self._goes_on(self._run_pod(pod))
            pods = self._store.all(POD, namespace, labels)
        await self._tell(deployment, len(pods), sum(map(is_ready, pods)), wanted)

    async def _replica_set(self, deployment: Manifest) -> Manifest:
        metadata, spec = deployment["metadata"], deployment["spec"]
        short = hashlib.sha256(json.dumps(spec["template"], sort_keys=True).encode()).hexdigest()[:10]
        template = spec["template"]
        labels = {**template["metadata"]["labels"], _HASH: short}
        return await self._store.put(
            REPLICA_SET,
            {
                "apiVersion": REPLICA_SET.api_version,
                "kind": REPLICA_SET.name,
                "metadata": {
                    "name": f"{metadata['name']}-{short}",
                    "namespace": metadata["namespace"],
                    "labels": labels,
                    "ownerReferences": [_owner(deployment)],
                },
                "spec": {
                    "replicas": spec.get("replicas", 1),
                    "selector": {"matchLabels": {**spec["selector"]["matchLabels"], _HASH: short}},
                    "template": {**template, "metadata": {**template["metadata"], "labels": labels}},
                },
            },
        )

    def _goes_on(self, doing: Coroutine[None, None, None]) -> None:
        self._tasks.append(self._group.create_task(doing))

    async def _becomes_late(self, deployment: Manifest) -> None:
        await asyncio.sleep(self._patience)
        self._late.add(deployment["metadata"]["uid"])
        await self.renew()

    async def _tell(self, deployment: Manifest, made: int, ready: int, wanted: int) -> None:
        metadata = deployment["metadata"]
        progressing = {"type": "Progressing", "status": "True", "reason": "ReplicaSetUpdated"}
        if ready < wanted and metadata["uid"] in self._late:
            progressing |= {"status": "False", "reason": "ProgressDeadlineExceeded"}
        available = {"type": "Available", "status": str(ready >= wanted)}
        status = {
            "observedGeneration": metadata["generation"],
            **dict.fromkeys(("replicas", "updatedReplicas"), made),
            **dict.fromkeys(("readyReplicas", "availableReplicas"), ready),
            "unavailableReplicas": wanted - ready,
            "conditions": [progressing, available],
        }
        await self._store.set_status(DEPLOYMENT, metadata["namespace"], metadata["name"], status)


def _pod_of(replica_set: Manifest) -> Manifest:
    metadata, template = replica_set["metadata"], replica_set["spec"]["template"]
    return {
        "apiVersion": POD.api_version,
        "kind": POD.name,
        "metadata": {
            "name": f"{metadata['name']}-{uuid4().hex[:5]}",
            "namespace": metadata["namespace"],
            "labels": template["metadata"]["labels"],
            "ownerReferences": [_owner(replica_set)],
        },
        "spec": template["spec"],
    }


def _owner(found: Manifest) -> Manifest:
    metadata = found["metadata"]
    return {
        **{name: found[name] for name in ("apiVersion", "kind")},
        **{name: metadata[name] for name in ("name", "uid")},
        "controller": True,
    }
