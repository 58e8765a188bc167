import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from service.core.retry import OnUncertain
from service.core.topology import RetryTier, Topology
from service.settings import EndpointSettings, LogFormat, LogLevel, Settings, Synchronous
from service.settings.names import NAMES
from tests.settings.settings_env import KEY, REQUIRED, load

DOCUMENT = Path(__file__).parents[2] / "docs" / "settings.md"
ROW = re.compile(r"^\| `(VIDEOGEN_[A-Z_]+)` \| (?:`([^`]+)`|(required|none)) \|", re.MULTILINE)


def test_the_defaults_are_those_of_the_specification() -> None:
    settings = load()
    assert settings.broker.prefix == "videogen"
    assert settings.broker.dead_ttl == 7 * 86400
    assert (settings.endpoint.timeout, settings.endpoint.connect_timeout) == (30, 5)
    assert settings.endpoint.on_uncertain is OnUncertain.PARK
    assert (settings.worker.concurrency, settings.worker.drain_timeout) == (64, 60)
    assert settings.worker.max_message_bytes == 262144
    assert (settings.retry.attempts, settings.retry.base, settings.retry.cap) == (4, 0.5, 20)
    assert (settings.retry.budget, settings.retry.max_age) == (60, 6 * 3600)
    assert settings.ledger.url.get_secret_value() == "sqlite:///videogen-ledger.db"
    assert (settings.ledger.synchronous, settings.ledger.retention) == (Synchronous.FULL, 7 * 86400)
    assert not settings.tracking.enabled
    assert (settings.tracking.max_rps, settings.tracking.first, settings.tracking.cap) == (1, 5, 60)
    assert settings.tracking.lost_after == 86400
    assert settings.admin.port == 8080
    assert (settings.log.level, settings.log.format) == (LogLevel.INFO, LogFormat.JSON)
    assert settings.tracing.enabled is False


def test_the_document_names_every_setting() -> None:
    assert {row[0] for row in ROW.findall(DOCUMENT.read_text())} == set(NAMES)


def test_the_documented_defaults_are_the_defaults() -> None:
    rows = ROW.findall(DOCUMENT.read_text())
    defaults = {name: default for name, default, _ in rows if default}
    assert load(defaults) == load()


def test_the_document_says_what_is_required_and_what_is_left_out() -> None:
    words = {name: word for name, _, word in ROW.findall(DOCUMENT.read_text()) if word}
    expected = {
        name.full: "required" if name.field.is_required() else "none"
        for name in NAMES.values()
        if name.field.is_required() or name.field.default is None
    }
    assert words == expected
    assert {name for name, word in words.items() if word == "required"} == set(REQUIRED)


def test_settings_cannot_be_changed() -> None:
    settings = load()
    with pytest.raises(ValidationError):
        settings.endpoint.timeout = 1.0  # type: ignore[misc] # the refusal is what is tested
    with pytest.raises(ValidationError):
        settings.endpoint = settings.endpoint  # type: ignore[misc] # the refusal is what is tested


def test_no_secret_shows_in_the_representation() -> None:
    shown = repr(
        load(
            {
                "VIDEOGEN_BROKER__URL": "amqp://me:hush-hush@host",
                "VIDEOGEN_BROKER__MANAGEMENT_URL": "http://me:hush-hush@host",
                "VIDEOGEN_LEDGER__URL": "redis://me:hush-hush@host",
            }
        )
    )
    assert KEY not in shown
    assert "hush-hush" not in shown


def test_a_direct_construction_names_no_secret_when_it_fails() -> None:
    with pytest.raises(ValidationError) as refused:
        EndpointSettings.model_validate({"base_url": "https://host", "api_key": "hush hush"})
    assert "hush hush" not in str(refused.value)


def test_settings_make_the_topology() -> None:
    settings = load(
        {
            "VIDEOGEN_BROKER__PREFIX": "mine",
            "VIDEOGEN_BROKER__DEAD_TTL": "1h",
            "VIDEOGEN_RETRY__TIERS": "5s, 2m",
        }
    )
    tiers = (RetryTier("5s", timedelta(seconds=5)), RetryTier("2m", timedelta(minutes=2)))
    assert settings.topology == Topology("mine", tiers, timedelta(hours=1))


def test_completions_are_part_of_the_topology_where_tracking_is_enabled() -> None:
    assert not load().topology.tracking
    assert load({"VIDEOGEN_TRACKING__ENABLED": "true"}).topology.tracking


def test_the_longest_hold_is_the_sum_of_what_one_request_may_wait_for() -> None:
    settings = load(
        {
            "VIDEOGEN_RETRY__BUDGET": "100s",
            "VIDEOGEN_ENDPOINT__TIMEOUT": "20s",
            "VIDEOGEN_WORKER__PATIENCE": "5s",
            "VIDEOGEN_BROKER__PUBLISH_TIMEOUT": "3s",
            "VIDEOGEN_LEDGER__TIMEOUT": "1s",
        }
    )
    assert settings.longest_hold == 100 + 2 * (5 + 1) + 20 + 5 + 3


def test_constructing_settings_reads_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIDEOGEN_WORKER__CONCURRENCY", "7")
    endpoint = EndpointSettings(base_url="https://host", api_key=SecretStr(KEY))
    assert Settings(endpoint=endpoint).worker.concurrency == 64


def test_importing_the_settings_loads_no_http_and_no_broker_library() -> None:
    code = "import sys, service.settings; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert {"aiohttp", "httpx", "aio_pika", "prometheus_client", "structlog"}.isdisjoint(modules.split())
