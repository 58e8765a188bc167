from dataclasses import dataclass
from pathlib import Path

import pytest

from service.settings import Settings
from tests.deploy.kubernetes.compositions import COMPOSITIONS, KUBERNETES, Composition
from tests.deploy.kubernetes.given_values import values_for
from tests.deploy.kubernetes.rendering import Rendered, render
from tests.deploy.kubernetes.worker_pod import WorkerPod


@dataclass(frozen=True, slots=True)
class Composed:
    """One composition, rendered."""

    composition: Composition
    rendered: Rendered

    @property
    def pod(self) -> WorkerPod:
        return WorkerPod(self.rendered)

    def has(self, component: str) -> bool:
        """Tell whether a component is in it; the overlay `production` holds some."""
        held = {"production": ("redis-ledger", "tls", "keda", "monitoring")}
        return component in held.get(self.composition.overlay or "", self.composition.components)


@pytest.fixture(scope="session", params=COMPOSITIONS, ids=str)
def composed(request: pytest.FixtureRequest, kubectl: str, tmp_path_factory: pytest.TempPathFactory) -> Composed:
    composition: Composition = request.param
    return Composed(composition, render(kubectl, composition.folder(tmp_path_factory.mktemp("overlay"))))


@pytest.fixture(scope="session")
def base(kubectl: str) -> Rendered:
    """The base as it is, which names no endpoint."""
    return render(kubectl, KUBERNETES / "base")


@pytest.fixture
def settings(composed: Composed, tmp_path: Path) -> Settings:
    """What the worker would load from the rendered environment and files, with the project's own loader."""
    return composed.pod.unpack(tmp_path, values_for(composed.composition)).settings()
