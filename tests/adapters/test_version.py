import tomllib
from pathlib import Path

import pytest

from service.adapters import version


def test_the_version_is_that_of_the_project() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert version.installed_version() == project["version"]


def test_a_source_tree_that_is_not_installed_has_an_unknown_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(version, "DISTRIBUTION", "no-such-distribution")
    assert version.installed_version() == "unknown"


def test_the_revision_is_what_the_image_build_wrote_into_the_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "revision").write_text("4ac77f8\n")
    monkeypatch.setattr(version, "files", lambda _: tmp_path)
    assert version.built_revision() == "4ac77f8"


def test_outside_an_image_the_revision_is_unknown() -> None:
    assert version.built_revision() == "unknown"
