"""What is rendered: the overlays as they are, and the base with components as somebody's own overlay would."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml
from typing_extensions import override

from tests.deploy.harness.command import ROOT

KUBERNETES = ROOT / "deploy" / "kubernetes"
ENDPOINT = "https://gateway.example.com"
# In the order in which they are named in an overlay.
COMPONENTS = ("redis-ledger", "redis-tls", "tls", "endpoint-ca", "keda", "monitoring")


@dataclass(frozen=True, slots=True)
class Composition:
    """An overlay by its name, or the base with components."""

    overlay: str | None = None
    components: tuple[str, ...] = ()

    @override
    def __str__(self) -> str:
        return self.overlay or "+".join(("base", *self.components))

    def folder(self, scratch: Path) -> Path:
        """Give the folder to render; for components an overlay is written into `scratch`."""
        if self.overlay is not None:
            return KUBERNETES / "overlays" / self.overlay
        return written_overlay(scratch, self.components)


def written_overlay(folder: Path, components: tuple[str, ...] = (), more: Mapping[str, object] | None = None) -> Path:
    """Write an overlay of the base that names the endpoint; `more` are further fields of its kustomization."""
    there = Path(os.path.relpath(KUBERNETES, folder.resolve()))
    settings = {
        "name": "videogen-worker",
        "behavior": "merge",
        "literals": [f"VIDEOGEN_ENDPOINT__BASE_URL={ENDPOINT}"],
    }
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [str(there / "base")],
        "components": [str(there / "components" / name) for name in components],
        "configMapGenerator": [settings],
        **(more or {}),
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    return folder


COMPOSITIONS = (
    Composition(),
    Composition(components=("redis-ledger",)),
    Composition(components=("redis-ledger", "redis-tls")),
    Composition(components=("redis-ledger", "keda")),
    Composition(components=("tls",)),
    Composition(components=("endpoint-ca",)),
    Composition(components=("monitoring",)),
    Composition(components=COMPONENTS),
    Composition(overlay="dev"),
    Composition(overlay="production"),
)
