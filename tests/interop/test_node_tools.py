import json
from pathlib import Path

import pytest

from tests.interop import node_tools
from tests.interop.node_tools import PINNED, NodeToolsError, installed_tools

NOWHERE = "http://127.0.0.1:9/"


def test_tools_that_cannot_be_fetched_are_told_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_tools, "CACHE", tmp_path / "node")
    for name, value in {"registry": NOWHERE, "fetch_retries": "0", "cache": str(tmp_path / "cache")}.items():
        monkeypatch.setenv(f"npm_config_{name}", value)

    with pytest.raises(NodeToolsError, match="make it reachable"):
        installed_tools()


def test_what_an_installation_left_half_done_counts_as_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node_tools, "CACHE", tmp_path / "node")
    monkeypatch.setattr(node_tools, "_run", lambda *_: "")

    folder = installed_tools()
    half_done = folder.rename(folder.with_suffix(".unfinished"))

    assert installed_tools() == folder
    assert not half_done.exists()


def test_every_package_is_pinned_by_its_digest_and_by_no_registry() -> None:
    lock = json.loads((PINNED / "package-lock.json").read_text(encoding="utf-8"))
    packages = {name: package for name, package in lock["packages"].items() if name and not package.get("link")}

    assert len(packages) > 100
    assert [
        name for name, package in packages.items() if "integrity" not in package and not package.get("inBundle")
    ] == []
    assert [name for name, package in packages.items() if "resolved" in package] == []
    wanted = json.loads((PINNED / "package.json").read_text(encoding="utf-8"))["dependencies"]
    assert all(version[0].isdigit() for version in wanted.values())
