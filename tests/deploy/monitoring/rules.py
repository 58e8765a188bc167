"""The alert rules and their unit tests, as data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any

import promql_parser
import yaml

from tests.deploy.monitoring.places import ALERT_TESTS, ALERTS


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert rule."""

    name: str
    expression: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Case:
    """One `tests` entry: when each alert fires in it, and when it is silent."""

    name: str
    fires: Sequence[tuple[str, timedelta]]
    silent: Sequence[tuple[str, timedelta]]


@cache
def groups() -> list[dict[str, Any]]:
    """Read the groups of alerts.yml as they are."""
    found: list[dict[str, Any]] = yaml.safe_load(ALERTS.read_text())["groups"]
    return found


def alerts() -> list[Alert]:
    return [
        Alert(rule["alert"], rule["expr"], rule["labels"], rule["annotations"])
        for group in groups()
        for rule in group["rules"]
    ]


@cache
def cases() -> list[Case]:
    return [
        Case(
            case["name"],
            [_moment(each) for each in case.get("alert_rule_test", ()) if each.get("exp_alerts")],
            [_moment(each) for each in case.get("alert_rule_test", ()) if not each.get("exp_alerts")],
        )
        for case in yaml.safe_load(ALERT_TESTS.read_text())["tests"]
    ]


def _moment(entry: Mapping[str, str]) -> tuple[str, timedelta]:
    return entry["alertname"], promql_parser.parse_duration(entry["eval_time"])
