"""The objects of the cluster, and everything that ever changed about them, for whoever watches."""

import asyncio
import copy
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

from tests.deploy.kubernetes.cluster.kinds import Kind
from tests.deploy.kubernetes.rendering import Manifest


@dataclass(frozen=True, slots=True)
class Event:
    """A change, as a watch tells it."""

    version: int
    type: str
    kind: Kind
    object: Manifest


class Store:
    """Objects by kind, namespace and name. What it gives out is a copy."""

    def __init__(self) -> None:
        self._objects: dict[tuple[Kind, str, str], Manifest] = {}
        self._events: list[Event] = []
        self._changed = asyncio.Condition()

    @property
    def version(self) -> int:
        """How many changes there were."""
        return len(self._events)

    def get(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        return copy.deepcopy(self._objects.get((kind, namespace, name)))

    def all(
        self, kind: Kind | None = None, namespace: str | None = None, labels: Mapping[str, str] | None = None
    ) -> list[Manifest]:
        """List objects; no kind, no namespace and no labels mean any."""
        return [
            copy.deepcopy(found)
            for (its_kind, its_namespace, _), found in self._objects.items()
            if kind in {None, its_kind}
            and namespace in {None, its_namespace}
            and (labels or {}).items() <= found["metadata"].get("labels", {}).items()
        ]

    def admitted(self, kind: Kind, given: Manifest) -> Manifest:
        """Give the object as it would be kept: with what a server adds."""
        before = self._objects.get(_key(kind, given))
        kept = copy.deepcopy(given)
        metadata = kept["metadata"]
        if before is None:
            now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            metadata |= {"uid": str(uuid4()), "creationTimestamp": now, "generation": 1}
        elif kept.get("spec") != before.get("spec"):
            metadata["generation"] = before["metadata"]["generation"] + 1
        metadata["resourceVersion"] = str(self.version + 1)
        return kept

    async def put(self, kind: Kind, given: Manifest) -> Manifest:
        """Keep an object, new or in the place of one."""
        key = _key(kind, given)
        kept = self.admitted(kind, given)
        type_ = "MODIFIED" if key in self._objects else "ADDED"
        async with self._changed:
            self._objects[key] = kept
            self._events.append(Event(self.version + 1, type_, kind, kept))
            self._changed.notify_all()
        return copy.deepcopy(kept)

    async def set_status(self, kind: Kind, namespace: str, name: str, status: Manifest) -> None:
        """Change the status alone, if it is another."""
        found = self.get(kind, namespace, name)
        if found is not None and found.get("status") != status:
            await self.put(kind, {**found, "status": status})

    async def watch(self, version: int) -> AsyncIterator[Event]:
        """Give every change after this version, for ever."""
        while True:
            await self.later_than(version)
            for event in self._events[version:]:
                yield event
                version = event.version

    async def later_than(self, version: int) -> None:
        """Come back when there is a change after this version."""
        await self.until(lambda: self.version > version)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Come back when this holds of the objects."""
        async with self._changed:
            await self._changed.wait_for(condition)


def _key(kind: Kind, given: Manifest) -> tuple[Kind, str, str]:
    return kind, given["metadata"].get("namespace", ""), given["metadata"]["name"]
