"""The dashboard: Grafana can show it, a person can read it, and it asks for nothing that does not exist."""

import json
import re
from collections import Counter
from collections.abc import Mapping
from itertools import combinations
from typing import Any

import pytest

from tests.deploy.monitoring.dashboard import INTERVALS, Query, dashboard, panels, queries, rows, variables
from tests.deploy.monitoring.metric_names import TARGET_LABELS, complaints, worker_metrics
from tests.deploy.monitoring.promql import grouping_labels, selectors

COLUMNS = 24
EACH_PANEL = pytest.mark.parametrize("panel", panels(), ids=lambda panel: panel["title"])
EACH_QUERY = pytest.mark.parametrize("query", queries(), ids=lambda query: f"{query.panel}: {query.legend}")


@EACH_PANEL
def test_a_panel_tells_its_title_what_it_shows_and_its_unit(panel: Mapping[str, Any]) -> None:
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["targets"]


def test_no_two_panels_share_a_title_or_an_id() -> None:
    titles = Counter(panel["title"] for panel in [*panels(), *rows()])
    ids = Counter(panel["id"] for panel in [*panels(), *rows()])

    assert [each for each, count in [*titles.items(), *ids.items()] if count > 1] == []


def test_panels_keep_to_the_grid_and_do_not_overlap() -> None:
    cells = {
        panel["title"]: {
            (column, line)
            for column in range(place["x"], place["x"] + place["w"])
            for line in range(place["y"], place["y"] + place["h"])
        }
        for panel in [*panels(), *rows()]
        for place in [panel["gridPos"]]
    }

    assert [title for title, taken in cells.items() if max(taken)[0] >= COLUMNS] == []
    assert [(one, other) for one, other in combinations(cells, 2) if cells[one] & cells[other]] == []


def test_no_line_of_panels_has_a_gap() -> None:
    width_by_line = Counter[int]()
    for panel in [*panels(), *rows()]:
        place = panel["gridPos"]
        width_by_line.update(dict.fromkeys(range(place["y"], place["y"] + place["h"]), place["w"]))

    assert {line: width for line, width in width_by_line.items() if width != COLUMNS} == {}


@EACH_QUERY
def test_a_query_asks_only_for_metrics_labels_and_values_that_exist(query: Query) -> None:
    assert list(complaints(query.filled_in("1m", "1h"))) == []


@EACH_QUERY
def test_a_legend_names_labels_that_the_query_keeps(query: Query) -> None:
    expression = query.filled_in("1m", "1h")
    of_metrics = {label for each in selectors(expression) for label in worker_metrics().get(each.metric, ())}
    kept = grouping_labels(expression) or of_metrics | TARGET_LABELS

    assert set(re.findall(r"\{\{(\w+)\}\}", query.legend)) <= kept


@EACH_PANEL
def test_a_colour_is_given_to_a_series_that_exists(panel: Mapping[str, Any]) -> None:
    values = {value for labels in worker_metrics().values() for each in labels.values() for value in each}
    legends = {target["legendFormat"] for target in panel["targets"]}
    named = {override["matcher"]["options"] for override in panel["fieldConfig"]["overrides"]}

    assert named <= values | legends


def test_every_metric_of_the_worker_is_shown() -> None:
    shown = {each.metric for query in queries() for each in selectors(query.filled_in("1m", "1h"))}
    own = {name for name in worker_metrics() if name.startswith("videogen_") and not name.endswith(("_sum", "_count"))}

    assert own - shown == set()


def test_every_variable_is_defined_and_used() -> None:
    variables_above = dashboard()["templating"]["list"]
    defined = {variable["name"] for variable in variables_above}
    in_lists = "".join(variable.get("definition", "") for variable in variables_above)
    used = variables(json.dumps([dashboard()["panels"], dashboard()["annotations"]]) + in_lists)

    assert used == defined | set(INTERVALS)


@EACH_QUERY
def test_a_query_of_the_workers_can_be_narrowed_by_each_variable(query: Query) -> None:
    narrowing = {"prefix"} if "rabbitmq_" in query.expression else {"namespace", "job", "instance"}

    for each in selectors(query.filled_in("1m", "1h", namespace="N", job="J", instance="I")):
        given = {(matcher.label, matcher.value) for matcher in each.matchers}
        assert narrowing == {"prefix"} or given >= {("namespace", "N"), ("job", "J"), ("instance", "I")}
    assert narrowing <= query.variables


def test_every_data_source_is_the_one_that_is_picked_above() -> None:
    sources = {
        match["uid"] for match in _all_dicts(dashboard()) if match.get("type") == "prometheus" and "uid" in match
    }

    assert sources == {"${datasource}"}


def test_variables_at_all_let_targets_without_a_namespace_through() -> None:
    lists = [variable for variable in dashboard()["templating"]["list"] if variable["type"] == "query"]

    assert {variable["name"] for variable in lists} == {"namespace", "job", "instance"}
    assert {variable["allValue"] for variable in lists} == {".*"}


def _all_dicts(value: object) -> list[Mapping[str, Any]]:
    if isinstance(value, dict):
        return [value, *(found for each in value.values() for found in _all_dicts(each))]
    if isinstance(value, list):
        return [found for each in value for found in _all_dicts(each)]
    return []
