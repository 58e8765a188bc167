import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from service.settings import Settings, load_settings
from service.settings.names import KNOWN, PREFIX
from tests.deploy.harness.command import ROOT, run, wait_until
from tests.deploy.harness.stack import COMPOSE_FILE, PORTS, Stack, stack_to_be
from tests.docs.pages import Block, page
from tests.support.debian_program import find_or_install

# Images may have to be fetched and built first.
pytestmark = pytest.mark.timeout(600)

REVISION = "4ac77f8b2e"
WORKERS = 3
CONCURRENCY = 8
# Grafana is left out: nothing is asked of it here, and its image is large.
OVERRIDES = f"""
services:
  grafana:
    profiles: [left-out]
  worker:
    environment:
      VIDEOGEN_WORKER__CONCURRENCY: "{CONCURRENCY}"
      # A call that was cut is known to be in doubt after both together.
      VIDEOGEN_ENDPOINT__TIMEOUT: 20s
      VIDEOGEN_WORKER__PATIENCE: 2s
      VIDEOGEN_RETRY__TIERS: 2s,10s
"""
HELD = "[sim: hold]"


@pytest.fixture(scope="module")
def services(docker: str) -> dict[str, dict[str, Any]]:
    """The services that `docker compose up` starts, as Docker reads them, with every default in place."""
    environment = {"COMPOSE_FILE": str(COMPOSE_FILE), "COMPOSE_PROFILES": "", **dict.fromkeys(PORTS, "")}
    read = run(docker, "compose", "--env-file", "/dev/null", "config", "--format", "json", environment=environment)
    found: dict[str, dict[str, Any]] = json.loads(read)["services"]
    return found


@pytest.fixture(scope="module")
def settings(services: dict[str, dict[str, Any]]) -> Settings:
    return load_settings(services["worker"]["environment"], Path("/dev/null"))


def test_nothing_is_published_beyond_loopback(services: dict[str, dict[str, Any]]) -> None:
    published = {name: [port["host_ip"] for port in service.get("ports", [])] for name, service in services.items()}
    assert {address for addresses in published.values() for address in addresses} == {"127.0.0.1"}
    assert not published["redis"]


def test_every_container_is_locked_up(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        assert (name, service.get("read_only"), service["cap_drop"], service["security_opt"]) == (
            name,
            True,
            ["ALL"],
            ["no-new-privileges:true"],
        )
    # These two change from root to a user of their own.
    assert {name for name, service in services.items() if "cap_add" in service} == {"rabbitmq", "redis"}


def test_every_image_is_held_to_a_version(services: dict[str, dict[str, Any]]) -> None:
    fetched = {name: service["image"] for name, service in services.items() if "build" not in service}
    assert set(fetched) == {"rabbitmq", "redis", "prometheus", "grafana"}
    for image in fetched.values():
        assert re.search(r":v?\d", image), image


def test_every_service_tells_whether_it_is_healthy(services: dict[str, dict[str, Any]]) -> None:
    assert [name for name, service in services.items() if not service["healthcheck"]["test"]] == []


def test_the_worker_waits_for_what_it_needs(services: dict[str, dict[str, Any]]) -> None:
    needed = {name: how["condition"] for name, how in services["worker"]["depends_on"].items()}
    assert needed == dict.fromkeys(("rabbitmq", "redis", "simulator"), "service_healthy")


def test_every_name_in_the_worker_s_environment_is_a_setting(
    services: dict[str, dict[str, Any]], settings: Settings
) -> None:
    assert set(services["worker"]["environment"]) <= set(KNOWN)
    assert settings.ledger.url.get_secret_value() == "redis://redis:6379/0"


def test_no_variable_of_the_file_could_be_taken_for_a_setting() -> None:
    variables = re.findall(r"\$\{?(\w+)", COMPOSE_FILE.read_text())
    assert set(PORTS) < set(variables)
    assert [name for name in variables if name.startswith(PREFIX)] == []


def test_the_deployment_page_names_every_port(services: dict[str, dict[str, Any]]) -> None:
    page = (ROOT / "deploy" / "README.md").read_text()
    defaults = re.findall(r"\$\{(\w+):-([\d-]+)\}", COMPOSE_FILE.read_text())
    assert {name for name, _ in defaults} == set(PORTS)
    for name, default in defaults:
        assert re.search(rf"`{name}` \| {default} \|", page), name


def test_a_stopped_worker_has_longer_than_its_drain_takes(
    services: dict[str, dict[str, Any]], settings: Settings
) -> None:
    grace = re.fullmatch(r"(?:(\d+)m)?(?:(\d+)s)?", services["worker"]["stop_grace_period"])
    assert grace is not None
    minutes, seconds = (int(part or 0) for part in grace.groups())
    assert 60 * minutes + seconds >= settings.worker.drain_timeout + 10


def test_queues_and_ledger_outlive_their_containers(services: dict[str, dict[str, Any]]) -> None:
    volumes = {
        (name, volume["source"], volume["target"])
        for name in ("rabbitmq", "redis")
        for volume in services[name]["volumes"]
        if volume["type"] == "volume"
    }
    assert volumes == {("rabbitmq", "rabbitmq", "/var/lib/rabbitmq"), ("redis", "redis", "/data")}
    # Its folder is named after the host: under another name it begins empty.
    assert services["rabbitmq"]["hostname"] == "rabbitmq"


def test_grafana_finds_data_source_and_dashboards(services: dict[str, dict[str, Any]]) -> None:
    folders = {volume["target"]: Path(volume["source"]) for volume in services["grafana"]["volumes"]}
    provisioning = folders["/etc/grafana/provisioning"]
    assert "url: http://prometheus:9090" in (provisioning / "datasources" / "prometheus.yml").read_text()
    assert "path: /dashboards" in (provisioning / "dashboards" / "videogen-worker.yml").read_text()
    home = Path(services["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert json.loads((folders["/dashboards"] / home.name).read_text())["panels"]


# One test, because its parts share the stack: starting one for each takes longer than all of them.
def test_three_workers_answer_every_request_and_pay_once_though_a_worker_and_the_broker_die(
    docker: str, tmp_path: Path
) -> None:
    overrides = tmp_path / "overrides.yml"
    overrides.write_text(OVERRIDES)
    (example,) = page("docs/examples/README.md").left_to(__file__)
    (short,) = page("README.md").left_to(__file__)
    start, look = page("deploy/README.md").left_to(__file__)
    with stack_to_be(docker, overrides, revision=REVISION) as stack:
        an_example_is_answered(stack, example)
        for block in (short, start):
            every_request_is_answered(stack, block)
        assert len(stack.running("worker")) == WORKERS
        redis_keeps_what_it_is_given(stack)
        prometheus_sees_everything(stack)
        a_killed_worker_s_requests_are_answered(stack)
        a_broker_that_dies_loses_nothing(stack)
        the_workers_stop_cleanly(stack)
        what_is_started_again_is_seen_and_taken_down(stack, look)


def an_example_is_answered(stack: Stack, block: Block) -> None:
    python = Path(sys.executable).parent
    broker = f"amqp://guest:guest@127.0.0.1:{stack.amqp_port}/"
    stack.typed(block, first=f"export PATH={python}:$PATH VIDEOGEN_BROKER__URL={broker}")
    assert stack.record()["requests"]["accepted"] == 1


def redis_keeps_what_it_is_given(stack: Stack) -> None:
    wanted = {"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction", "dir": "/data"}
    told = run(stack.docker, "exec", f"{stack.project}-redis-1", "redis-cli", "config", "get", *wanted).split()
    assert dict(zip(told[::2], told[1::2], strict=True)) == wanted


def every_request_is_answered(stack: Stack, block: Block) -> None:
    stack.forget()
    # Before that stands what the builder says.
    *_, said = stack.typed(block).splitlines()
    assert said == "100 of 100 results: 100 submitted with 100 different task ids, 0 uncertain, 0 failed"
    nothing_was_called_twice(stack)


def prometheus_sees_everything(stack: Stack) -> None:
    jobs = {"videogen-worker": WORKERS, "rabbitmq": 1, "rabbitmq-queues": 1}
    for job, count in jobs.items():
        wait_until(lambda: len(stack.query(f'up{{job="{job}"}} == 1')) == count, f"{count} targets of {job} are up")  # noqa: B023 - asked at once
    releases = {series["revision"] for series in stack.query("videogen_build_info")}
    assert releases == {REVISION}
    # The rules ask for these by name.
    assert stack.query('rabbitmq_detailed_queue_messages_ready{queue="videogen.requests"}')
    rules = json.loads(stack.ask("http://prometheus:9090/api/v1/rules"))["data"]["groups"]
    assert {rule["health"] for group in rules for rule in group["rules"]} <= {"ok", "unknown"}
    assert sum(len(group["rules"]) for group in rules) > 20


def a_killed_worker_s_requests_are_answered(stack: Stack) -> None:
    stack.forget()
    killed = stack.running("worker")[0]
    with stack.smoke("-p", HELD, "-u") as smoke:
        wait_until(lambda: stack.record()["in_flight"] == WORKERS * CONCURRENCY, "all workers are busy")
        run(stack.docker, "kill", killed)
        stack.release()
        verdict = smoke.ends()
    # Docker's restart policies leave alone what was killed by hand.
    run(stack.docker, "start", killed)
    assert verdict.status == 0, verdict
    counts = re.match(r"100 of 100 results: (\d+) submitted with \1 different task ids, (\d+) uncertain", verdict.said)
    assert counts is not None, verdict
    submitted, uncertain = (int(count) for count in counts.groups())
    # What it had in flight, and nothing else, is in doubt.
    assert (submitted, uncertain) == (100 - CONCURRENCY, CONCURRENCY)
    nothing_was_called_twice(stack)


def a_broker_that_dies_loses_nothing(stack: Stack) -> None:
    stack.forget()
    with stack.smoke("-p", HELD) as smoke:
        wait_until(lambda: stack.record()["in_flight"] == WORKERS * CONCURRENCY, "all workers are busy")
        stack.compose("kill", "rabbitmq")
        stack.release()
        stack.compose("start", "rabbitmq")
        verdict = smoke.ends()
    assert verdict.status == 0, verdict
    assert verdict.said == "100 of 100 results: 100 submitted with 100 different task ids, 0 uncertain, 0 failed"
    # Its connection was cut, so that was in the middle.
    assert "sent again" in verdict.details
    nothing_was_called_twice(stack)


def nothing_was_called_twice(stack: Stack) -> None:
    requests = {"seen": 100, "accepted": 100, "accepted_more_than_once": 0, "called_again": 0}
    assert stack.record()["requests"] == requests


def the_workers_stop_cleanly(stack: Stack) -> None:
    workers = stack.running("worker")
    assert len(workers) == WORKERS
    stack.compose("stop", "worker")
    states = json.loads(run(stack.docker, "inspect", *workers))
    assert [state["State"]["ExitCode"] for state in states] == [0] * WORKERS


def what_is_started_again_is_seen_and_taken_down(stack: Stack, block: Block) -> None:
    assert find_or_install("curl", "curl", print), "curl is not installed, and cannot be installed from here"
    seen = stack.typed(block, first="export no_proxy=127.0.0.1,0.0.0.0")
    assert re.findall(rf"{stack.project}-worker-(\d)\b", seen) == ["1", "2", "3"]
    assert "videogen_consumer_active 1.0" in seen
    assert stack.running("rabbitmq") == []
    volumes = run(stack.docker, "volume", "ls", "--quiet", f"--filter=name={stack.project}").split()
    assert {f"{stack.project}_rabbitmq", f"{stack.project}_redis"} <= set(volumes)
