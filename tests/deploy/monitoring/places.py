"""Where the files are that these tests are about."""

from pathlib import Path

ROOT = Path(__file__).parents[3]
MONITORING = ROOT / "deploy" / "monitoring"
ALERTS = MONITORING / "alerts.yml"
ALERT_TESTS = MONITORING / "alerts.test.yml"
DASHBOARD = MONITORING / "dashboard.json"
COMPONENT = ROOT / "deploy" / "kubernetes" / "components" / "monitoring"
RUNBOOK = ROOT / "docs" / "runbook.md"
PICTURES = ROOT / "docs" / "pictures"
