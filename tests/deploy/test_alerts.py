"""The alert rules: they parse, they fire when they must and not before, and somebody who is woken finds a page."""

import re
import subprocess
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from tests.deploy.monitoring.metric_names import complaints
from tests.deploy.monitoring.places import ALERT_TESTS, ALERTS, DASHBOARD, MONITORING, ROOT, RUNBOOK
from tests.deploy.monitoring.rules import Alert, alerts, cases, groups
from tests.deploy.monitoring.stage import QUEUE_FAMILIES
from tests.support.broker import announce
from tests.support.debian_program import find_or_install

ADVICE = "promtool is missing. Install it: `sudo apt-get install prometheus`, or put a release of Prometheus on PATH."
EACH_ALERT = pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert.name)


@pytest.fixture(scope="session")
def promtool(pytestconfig: pytest.Config) -> str:
    found = find_or_install("promtool", "prometheus", lambda line: announce(pytestconfig, line))
    assert found is not None, ADVICE
    return found


def test_promtool_takes_the_rules(promtool: str) -> None:
    checked = subprocess.run([promtool, "check", "rules", ALERTS], capture_output=True, text=True, check=False)

    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert f"SUCCESS: {len(alerts())} rules found" in checked.stdout


def test_every_alert_fires_and_is_silent_as_its_tests_say(promtool: str) -> None:
    tested = subprocess.run(
        [promtool, "test", "rules", ALERT_TESTS.name], capture_output=True, text=True, cwd=MONITORING, check=False
    )

    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert "SUCCESS" in tested.stdout


@EACH_ALERT
def test_every_alert_is_tested_firing_and_silent_just_before(alert: Alert) -> None:
    firing = [(case, at) for case in cases() for name, at in case.fires if name == alert.name]
    before = [
        case.name
        for case, at in firing
        for name, silent in case.silent
        if name == alert.name and timedelta(0) < at - silent <= timedelta(minutes=2)
    ]

    assert before, f"alerts.test.yml shows {alert.name} firing {len(firing)} times, and never silent just before"


def test_names_of_alerts_and_of_their_tests_are_given_once() -> None:
    names = Counter(alert.name for alert in alerts()) + Counter(case.name for case in cases())

    assert [name for name, count in names.items() if count > 1] == []


@EACH_ALERT
def test_an_alert_asks_only_for_metrics_labels_and_values_that_exist(alert: Alert) -> None:
    assert list(complaints(alert.expression)) == []


@EACH_ALERT
def test_an_alert_says_what_is_wrong_how_bad_it_is_and_where_to_read_on(alert: Alert) -> None:
    assert alert.labels["severity"] in {"critical", "warning"}
    assert alert.annotations.keys() == {"summary", "description", "runbook_url"}
    assert alert.annotations["runbook_url"] == f"docs/runbook.md#{alert.name.lower()}"


def test_the_runbook_has_a_section_for_each_alert_in_their_order_and_for_nothing_else() -> None:
    sections = re.findall(r"^### (Videogen\w+)$", RUNBOOK.read_text(), re.MULTILINE)

    assert sections == [alert.name for alert in alerts()]


def test_the_runbook_names_the_severity_of_each_alert() -> None:
    told = dict(re.findall(r"^### (Videogen\w+)\n\n\*\*(\w+)\.\*\*", RUNBOOK.read_text(), re.MULTILINE))

    assert told == {alert.name: alert.labels["severity"].capitalize() for alert in alerts()}


@pytest.mark.parametrize("file", [RUNBOOK, DASHBOARD, ALERTS], ids=lambda file: file.name)
def test_an_alert_that_is_named_anywhere_exists(file: Path) -> None:
    named = set(re.findall(r"\bVideogen[A-Z]\w+", file.read_text()))

    assert named
    assert named <= {alert.name for alert in alerts()}


def test_the_queries_of_the_runbook_ask_for_what_exists() -> None:
    found = re.findall(r"`([^`\n]*(?:videogen|process|rabbitmq_detailed)_[a-z][^`\n]*)`", RUNBOOK.read_text())

    assert len(found) > 20
    assert {query: list(complaints(query)) for query in found if list(complaints(query))} == {}


@EACH_ALERT
def test_an_alert_keeps_deployments_apart(alert: Alert) -> None:
    for labels in re.findall(r"by \(([^)]*)\)", alert.expression):
        assert {"namespace", "job"} <= set(labels.split(", ")) or labels == "vhost, queue"


def test_only_the_last_group_needs_the_metrics_of_rabbitmq() -> None:
    needing = {group["name"] for group in groups() for rule in group["rules"] if "rabbitmq_" in rule["expr"]}

    assert needing == {groups()[-1]["name"]} == {"videogen-rabbitmq"}


def test_the_prometheus_of_the_stack_scrapes_what_the_rules_ask_for() -> None:
    configuration = yaml.safe_load((ROOT / "deploy" / "compose" / "prometheus" / "prometheus.yml").read_text())
    jobs = {job["job_name"]: job for job in configuration["scrape_configs"]}
    queues = [job for job in jobs.values() if job.get("metrics_path") == "/metrics/detailed"]

    assert "videogen-worker" in jobs
    assert [set(job["params"]["family"]) for job in queues] == [set(QUEUE_FAMILIES)]
    assert [Path(file).name for file in configuration["rule_files"]] == [ALERTS.name]
