"""Manifests as `kubectl kustomize` gives them out."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from tests.deploy.harness.command import attempt

Manifest: TypeAlias = dict[str, Any]

WORKER = "videogen-worker"


class NotRenderedError(Exception):
    """kustomize refused; the message is its own."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """All objects of one folder."""

    text: str
    objects: tuple[Manifest, ...]

    def all(self, kind: str) -> list[Manifest]:
        return [found for found in self.objects if found["kind"] == kind]

    def one(self, kind: str, name: str = WORKER) -> Manifest:
        (found,) = (found for found in self.all(kind) if found["metadata"]["name"] == name)
        return found

    def workloads(self) -> list[Manifest]:
        """List what makes pods."""
        return [found for found in self.objects if "template" in found.get("spec", {})]


@cache
def render(kubectl: str, folder: Path) -> Rendered:
    """Render a folder; the same folder once.

    Raises:
        NotRenderedError: kustomize refused.
    """
    done = attempt(kubectl, "kustomize", folder)
    if done.returncode != 0:
        raise NotRenderedError(done.stderr)
    return Rendered(done.stdout, tuple(yaml.safe_load_all(done.stdout)))


def containers(workload: Manifest) -> list[Manifest]:
    pod = workload["spec"]["template"]["spec"]
    return [*pod.get("initContainers", []), *pod["containers"]]


def strings(value: object) -> Iterator[str]:
    """Walk through every text that a manifest holds, names of fields left out."""
    match value:
        case str():
            yield value
        case dict():
            for inner in value.values():
                yield from strings(inner)
        case list():
            for inner in value:
                yield from strings(inner)
        case _:
            pass
