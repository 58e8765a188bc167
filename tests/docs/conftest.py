import shutil
from pathlib import Path

import pytest

from service.private_broker.container import engine_answers
from tests.docs.pages import ROOT
from tests.docs.reader import Surroundings, surroundings
from tests.support.broker import announce

SOURCES = ("pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md")


@pytest.fixture
def around(broker_url: str, prefix: str, tmp_path: Path) -> Surroundings:
    """A broker, queues, ports and a folder for whoever follows a page."""
    return surroundings(broker_url, prefix, tmp_path)


@pytest.fixture
def checkout(around: Surroundings) -> Path:
    """The source, as somebody has it who begins."""
    folder = around.folder / "videogen-worker"
    shutil.copytree(ROOT / "service", folder / "service", ignore=shutil.ignore_patterns("__pycache__"))
    for name in SOURCES:
        shutil.copy(ROOT / name, folder)
    return folder


@pytest.fixture
def lacking(pytestconfig: pytest.Config) -> frozenset[str]:
    """The programs that pages need and that do not work here. Their blocks are left out, and the end says so."""
    if engine_answers():
        return frozenset()
    announce(pytestconfig, "Pages: what needs docker is left out: no Docker engine answers")
    return frozenset({"docker"})
