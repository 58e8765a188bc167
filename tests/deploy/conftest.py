"""What tests of the deployment need of the machine. What it lacks is told in the summary, with the tests left out."""

import shutil
from collections.abc import Mapping

import pytest

from service.private_broker.container import engine_answers
from tests.support.broker import BROKER_LINES


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what cannot run here, and say so; a test that asks for `docker` or `kubectl` needs just that."""
    lacking: Mapping[str, str] = {
        **({} if engine_answers() else {"docker": "no Docker engine answers"}),
        **({} if shutil.which("kubectl") else {"kubectl": "kubectl is not installed"}),
    }
    for name, why in lacking.items():
        left_out = [item for item in items if name in getattr(item, "fixturenames", ())]
        if left_out:
            items[:] = [item for item in items if item not in left_out]
            config.hook.pytest_deselected(items=left_out)
            config.stash.setdefault(BROKER_LINES, []).append(f"{len(left_out)} tests left out: {why}")


@pytest.fixture(scope="session")
def docker() -> str:
    """The client of a Docker engine that answers."""
    found = shutil.which("docker")
    assert found is not None, "an engine answers, but the docker client is not installed"
    return found


@pytest.fixture(scope="session")
def kubectl() -> str:
    found = shutil.which("kubectl")
    assert found is not None
    return found
