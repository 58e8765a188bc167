from pathlib import Path

import pytest

from tests.settings.settings_env import load, problem

AMQPS = {"VIDEOGEN_BROKER__URL": "amqps://host"}


DRAIN = """
VIDEOGEN_WORKER__DRAIN_TIMEOUT=29s is shorter than a call may take, VIDEOGEN_ENDPOINT__TIMEOUT=30s;
raise the first or lower the second
"""
HOLD = """
VIDEOGEN_BROKER__CONSUMER_TIMEOUT=220s is not longer than one request may be held:
VIDEOGEN_RETRY__BUDGET=60s plus VIDEOGEN_ENDPOINT__TIMEOUT=30s plus three times VIDEOGEN_WORKER__PATIENCE=30s
plus VIDEOGEN_BROKER__PUBLISH_TIMEOUT=30s plus twice VIDEOGEN_LEDGER__TIMEOUT=5s;
raise it at the broker and here to more than 220s, or lower the others
"""
CONNECT = """
VIDEOGEN_ENDPOINT__CONNECT_TIMEOUT=5s is above VIDEOGEN_ENDPOINT__TIMEOUT=4s;
lower the first or raise the second
"""
CAP = """
VIDEOGEN_RETRY__BASE=3s is above VIDEOGEN_RETRY__CAP=2s;
lower the first or raise the second
"""
BUDGET = """
VIDEOGEN_RETRY__BASE=3s is above VIDEOGEN_RETRY__BUDGET=2s;
lower the first or raise the second
"""
MAX_AGE = """
VIDEOGEN_RETRY__BUDGET=60s is above VIDEOGEN_RETRY__MAX_AGE=59s;
lower the first or raise the second
"""
PROBES = """
VIDEOGEN_WORKER__PROBE_FIRST=301s is above VIDEOGEN_WORKER__PROBE_CAP=300s;
lower the first or raise the second
"""
WAITING = """
VIDEOGEN_LEDGER__RETENTION=23399s is shorter than a request may wait to be called again,
VIDEOGEN_RETRY__MAX_AGE=21600s plus the longest of VIDEOGEN_RETRY__TIERS, so one could be forgotten and paid for twice;
raise the first to at least 23400s, or lower the others
"""
REPLAY = """
VIDEOGEN_LEDGER__RETENTION=604799s is shorter than VIDEOGEN_BROKER__DEAD_TTL=604800s, so a failed request
could be replayed after it was forgotten, and paid for twice; raise the first or lower the second
"""
TRACKING = """
VIDEOGEN_TRACKING__FIRST=61s is above VIDEOGEN_TRACKING__CAP=60s;
lower the first or raise the second
"""
LOST = """
VIDEOGEN_TRACKING__CAP=60s is above VIDEOGEN_TRACKING__LOST_AFTER=59s;
lower the first or raise the second
"""
RETENTION, DEAD_TTL = "VIDEOGEN_LEDGER__RETENTION", "VIDEOGEN_BROKER__DEAD_TTL"


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"VIDEOGEN_WORKER__DRAIN_TIMEOUT": "29s"}, DRAIN),
        ({"VIDEOGEN_BROKER__CONSUMER_TIMEOUT": "220s"}, HOLD),
        ({"VIDEOGEN_ENDPOINT__CONNECT_TIMEOUT": "5s", "VIDEOGEN_ENDPOINT__TIMEOUT": "4s"}, CONNECT),
        ({"VIDEOGEN_RETRY__BASE": "3s", "VIDEOGEN_RETRY__CAP": "2s"}, CAP),
        ({"VIDEOGEN_RETRY__BASE": "3s", "VIDEOGEN_RETRY__BUDGET": "2s"}, BUDGET),
        ({"VIDEOGEN_RETRY__MAX_AGE": "59s"}, MAX_AGE),
        ({"VIDEOGEN_WORKER__PROBE_FIRST": "301s"}, PROBES),
        ({RETENTION: "23399s", DEAD_TTL: "1h"}, WAITING),
        ({RETENTION: "604799s"}, REPLAY),
        ({"VIDEOGEN_TRACKING__FIRST": "61s"}, TRACKING),
        ({"VIDEOGEN_TRACKING__LOST_AFTER": "59s"}, LOST),
    ],
)
def test_durations_that_do_not_go_together_are_refused(changes: dict[str, str], text: str) -> None:
    assert problem(changes) == " ".join(text.split())


@pytest.mark.parametrize(
    "changes",
    [
        {"VIDEOGEN_WORKER__DRAIN_TIMEOUT": "30s"},
        {"VIDEOGEN_BROKER__CONSUMER_TIMEOUT": "221s"},
        {"VIDEOGEN_ENDPOINT__CONNECT_TIMEOUT": "30s"},
        {"VIDEOGEN_RETRY__BASE": "20s"},
        {"VIDEOGEN_RETRY__BASE": "2s", "VIDEOGEN_RETRY__BUDGET": "2s"},
        {"VIDEOGEN_RETRY__MAX_AGE": "60s"},
        {"VIDEOGEN_WORKER__PROBE_FIRST": "300s"},
        {RETENTION: "23400s", DEAD_TTL: "1h"},
        {RETENTION: "1s", "VIDEOGEN_LEDGER__URL": "none"},
        {"VIDEOGEN_TRACKING__FIRST": "60s", "VIDEOGEN_TRACKING__LOST_AFTER": "60s"},
    ],
)
def test_durations_that_just_go_together_are_taken(changes: dict[str, str]) -> None:
    load(changes)


@pytest.fixture
def pem(tmp_path: Path) -> str:
    file = tmp_path / "file.pem"
    file.touch()
    return str(file)


@pytest.mark.parametrize("name", ["VIDEOGEN_BROKER__CERT_FILE", "VIDEOGEN_BROKER__KEY_FILE"])
def test_certificate_and_key_come_together(name: str, pem: str) -> None:
    text = problem({**AMQPS, name: pem})
    assert text.startswith("VIDEOGEN_BROKER__CERT_FILE and VIDEOGEN_BROKER__KEY_FILE belong together")


def test_certificates_need_tls(pem: str) -> None:
    text = problem({"VIDEOGEN_BROKER__CA_FILE": pem})
    assert text.startswith("VIDEOGEN_BROKER__CA_FILE needs TLS; make VIDEOGEN_BROKER__URL start with amqps://")


def test_all_certificate_files_go_with_tls(pem: str) -> None:
    files = {f"VIDEOGEN_BROKER__{name}_FILE": pem for name in ("CA", "CERT", "KEY")}
    assert load({**AMQPS, **files}).broker.key_file == Path(pem)
