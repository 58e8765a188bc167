"""Every query of the dashboard and every selector of the alerts, asked of a Prometheus that watches a real worker."""

import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from tests.deploy.monitoring import incidents
from tests.deploy.monitoring.dashboard import queries
from tests.deploy.monitoring.promql import selectors
from tests.deploy.monitoring.rules import alerts
from tests.deploy.monitoring.stage import Stage, open_stage
from tests.support.broker import announce

# The first run on a machine installs RabbitMQ and Prometheus.
pytestmark = pytest.mark.timeout(400)

INCIDENTS: Sequence[incidents.Incident] = (
    incidents.wrong_requests,
    incidents.lost_answers,
    incidents.copies,
    incidents.lost_replies,
    incidents.rate_limit,
    incidents.refused_key,
    incidents.unreachable_endpoint,
    incidents.lost_ledger,
    incidents.cut_connections,
    incidents.memory_alarm,
    incidents.roll_out,
)


@pytest.fixture
def installation() -> None:
    """Bear the name by which tests/conftest.py leaves a test out where RabbitMQ is not to be installed."""


@pytest.fixture
async def stage(installation: None, pytestconfig: pytest.Config, tmp_path: Path) -> AsyncIterator[Stage]:
    async with open_stage(lambda line: announce(pytestconfig, line), tmp_path) as stage:
        yield stage


async def test_whatever_befalls_the_worker_no_query_comes_back_empty_or_in_error(stage: Stage) -> None:
    for incident in INCIDENTS:
        await incident(stage, 0.0)
    prometheus, now = stage.prometheus, time.time()

    picked = {"job": "videogen-worker", "instance": "worker-1"}
    asked = {(query.panel, query.filled_in("5s", f"{now - stage.began:.0f}s", **picked)) for query in queries()}
    asked |= {(alert.name, selector.text) for alert in alerts() for selector in selectors(alert.expression)}
    empty = {
        (name, expression)
        for name, expression in asked
        if not any(series.values for series in await prometheus.over_time(expression, stage.began, now, 1.0))
    }
    assert empty == set()

    sick = [rule["name"] for rule in await prometheus.rules() if rule["health"] != "ok"]
    assert sick == []
    firing = {series.labels["alertname"] for series in await prometheus.now('ALERTS{alertstate="firing"}')}
    assert firing >= {"VideogenRequestsUncertain", "VideogenResultsReturned"}
