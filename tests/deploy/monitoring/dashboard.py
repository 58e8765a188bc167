"""The dashboard as data, and its queries as Prometheus gets them from Grafana."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from tests.deploy.monitoring.places import DASHBOARD

_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
INTERVALS = ("__rate_interval", "__range")
"""What Grafana itself fills in."""


@dataclass(frozen=True, slots=True)
class Query:
    """One query of a panel; `legend` names its series."""

    panel: str
    expression: str
    legend: str

    @property
    def variables(self) -> frozenset[str]:
        return variables(self.expression)

    def filled_in(self, rate_interval: str, time_range: str, **values: str) -> str:
        """Put values in place of variables; those that are not given stand at "All"."""
        known = {"__rate_interval": rate_interval, "__range": time_range, "prefix": "videogen", **values}
        return _VARIABLE.sub(lambda found: known.get(found[1] or found[2], ".*"), self.expression)


def variables(text: str) -> frozenset[str]:
    """List the variables that a text has in it."""
    return frozenset(one or other for one, other in _VARIABLE.findall(text))


@cache
def dashboard() -> Mapping[str, Any]:
    read: Mapping[str, Any] = json.loads(DASHBOARD.read_text())
    return read


def panels() -> list[Mapping[str, Any]]:
    """List all panels without the headings of rows, those in collapsed rows included."""
    return [panel for panel in _with_rows() if panel["type"] != "row"]


def rows() -> list[Mapping[str, Any]]:
    return [panel for panel in _with_rows() if panel["type"] == "row"]


def queries() -> list[Query]:
    return [
        Query(panel["title"], target["expr"], target["legendFormat"])
        for panel in panels()
        for target in panel["targets"]
    ]


def _with_rows() -> Iterator[Mapping[str, Any]]:
    for panel in dashboard()["panels"]:
        yield panel
        yield from panel.get("panels", ())
