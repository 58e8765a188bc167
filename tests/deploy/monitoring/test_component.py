"""What Kubernetes gets of the monitoring: scraping, the same rules, and the same dashboard."""

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.monitoring.dashboard import dashboard
from tests.deploy.monitoring.places import ALERTS, COMPONENT, ROOT
from tests.deploy.monitoring.rules import groups

RULE_FILE = COMPONENT / "prometheus-rule.yaml"
NAME = "videogen-worker"


@pytest.fixture
def rendered(kubectl: str, tmp_path: Path) -> Mapping[str, Mapping[str, Any]]:
    """Render the component over the base, in the namespace `videos`; objects by kind and name."""
    shutil.copytree(ROOT / "deploy", tmp_path / "deploy")
    overlay = tmp_path / "deploy" / "kubernetes" / "overlays" / "of-this-test"
    overlay.mkdir()
    (overlay / "kustomization.yaml").write_text(
        "namespace: videos\nresources: [../../base]\ncomponents: [../../components/monitoring]\n"
    )
    built = subprocess.run([kubectl, "kustomize", overlay], capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return {f"{each['kind']}/{each['metadata']['name']}": each for each in yaml.safe_load_all(built.stdout)}


def test_the_rules_of_kubernetes_are_those_of_prometheus(rendered: Mapping[str, Mapping[str, Any]]) -> None:
    assert rendered[f"PrometheusRule/{NAME}"]["spec"] == {"groups": groups()}


def test_the_command_in_the_rule_file_makes_it_from_the_alerts(tmp_path: Path) -> None:
    command = "\n".join(re.findall(r"^#   (.+)$", RULE_FILE.read_text(), re.MULTILINE))
    for file in (RULE_FILE, ALERTS):
        (tmp_path / file.relative_to(ROOT)).parent.mkdir(parents=True)
        shutil.copy(file, tmp_path / file.relative_to(ROOT))
    copy = tmp_path / RULE_FILE.relative_to(ROOT)
    copy.write_text(copy.read_text().partition("\n  groups:")[0] + "\n  groups: []\n")

    subprocess.run(["sh", "-euc", command], cwd=tmp_path, check=True)

    assert copy.read_text() == RULE_FILE.read_text()


def test_grafana_finds_the_dashboard_as_it_is(rendered: Mapping[str, Mapping[str, Any]]) -> None:
    found = rendered[f"ConfigMap/{NAME}-dashboard"]

    assert found["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert [json.loads(text) for text in found["data"].values()] == [dashboard()]


def test_prometheus_scrapes_the_admin_port_of_the_workers_pods(rendered: Mapping[str, Mapping[str, Any]]) -> None:
    monitor = rendered[f"PodMonitor/{NAME}"]["spec"]
    pod = rendered[f"Deployment/{NAME}"]["spec"]["template"]
    (endpoint,) = monitor["podMetricsEndpoints"]

    assert monitor["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    assert endpoint["port"] in {port["name"] for port in pod["spec"]["containers"][0]["ports"]}
    # `job="videogen-worker"` stands in the rules.
    assert pod["metadata"]["labels"][monitor["jobLabel"]] == NAME
