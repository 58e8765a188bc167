import json
from pathlib import Path

import pytest

from tests.interop import node_tools
from tests.interop.node_tools import ASYNCAPI, OF_THE_EXAMPLES, NodePackages, NodeToolsError

NOWHERE = "http://127.0.0.1:9/"
EACH = pytest.mark.parametrize("packages", [ASYNCAPI, OF_THE_EXAMPLES], ids=lambda packages: packages.name)


@EACH
def test_packages_that_cannot_be_fetched_are_told_with_what_to_do(
    packages: NodePackages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node_tools, "CACHE", tmp_path / "node")
    for name, value in {"registry": NOWHERE, "fetch_retries": "0", "cache": str(tmp_path / "cache")}.items():
        monkeypatch.setenv(f"npm_config_{name}", value)

    with pytest.raises(NodeToolsError, match=f"{packages.title} cannot be installed.*make it reachable"):
        packages.installed()


def test_what_an_installation_left_half_done_counts_as_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node_tools, "CACHE", tmp_path / "node")
    monkeypatch.setattr(node_tools, "_run", lambda *_: "")

    folder = ASYNCAPI.installed()
    half_done = folder.rename(folder.with_suffix(".unfinished"))

    assert ASYNCAPI.installed() == folder
    assert not half_done.exists()


def test_one_set_of_packages_leaves_the_other_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_tools, "CACHE", tmp_path / "node")
    monkeypatch.setattr(node_tools, "_run", lambda *_: "")

    first, second = ASYNCAPI.installed(), OF_THE_EXAMPLES.installed()

    assert first != second
    assert first.is_dir()
    assert second.is_dir()


@EACH
def test_every_package_is_pinned_by_its_digest_and_by_no_registry(packages: NodePackages) -> None:
    lock = json.loads((packages.pinned / "package-lock.json").read_text(encoding="utf-8"))
    locked = {name: package for name, package in lock["packages"].items() if name and not package.get("link")}

    assert [
        name for name, package in locked.items() if "integrity" not in package and not package.get("inBundle")
    ] == []
    assert [name for name, package in locked.items() if "resolved" in package] == []
    wanted = json.loads((packages.pinned / "package.json").read_text(encoding="utf-8"))["dependencies"]
    assert {f"node_modules/{name}" for name in wanted} <= set(locked)
    assert all(version[0].isdigit() for version in wanted.values())
