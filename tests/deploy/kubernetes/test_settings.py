"""What the manifests tell the worker: does it understand that, and do the manifests fit the code?"""

import re

from prometheus_client import CollectorRegistry

from service.adapters.admin import AdminServer
from service.core.readiness import ReadinessObserver
from service.settings import Settings, WorkerSettings
from service.settings.names import KNOWN, NAMES
from tests.deploy.kubernetes.compositions import KUBERNETES
from tests.deploy.kubernetes.conftest import Composed
from tests.deploy.kubernetes.given_values import API_KEY, LEDGER_URL, MANAGEMENT_URL, values_for
from tests.deploy.kubernetes.rendering import containers, strings

README = (KUBERNETES / "README.md").read_text()
# Seconds for what comes after the drain: closing connections and the ledger, and ending the process.
MARGIN = 15


def test_every_name_is_a_setting(composed: Composed) -> None:
    environment = composed.pod.environment()
    files = {name for keys in composed.pod.mounted_keys().values() for name in keys if name.isupper()}

    assert environment
    assert {*environment, *files} - {*KNOWN} == set()


def test_every_value_is_one_that_the_worker_takes(settings: Settings, composed: Composed) -> None:
    given = values_for(composed.composition)

    assert settings.endpoint.api_key.get_secret_value() == given[API_KEY]
    assert settings.broker.management_url is not None
    assert settings.broker.management_url.get_secret_value() == given[MANAGEMENT_URL]
    assert settings.ledger.url.get_secret_value() == (
        given[LEDGER_URL] if composed.has("redis-ledger") else "sqlite:///videogen-ledger.db"
    )
    assert (settings.broker.ca_file is not None) is composed.has("tls")
    assert (settings.broker.cert_file is not None) is composed.has("tls")
    assert (settings.endpoint.ca_file is not None) is composed.has("endpoint-ca")
    assert (settings.ledger.ca_file is not None) is composed.has("redis-tls")


def test_the_management_api_may_be_left_out(composed: Composed) -> None:
    sources = [
        source["secret"]
        for volume in composed.pod.spec["volumes"]
        for source in volume.get("projected", {}).get("sources", [])
    ]
    optional = [item["key"] for source in sources if source.get("optional") for item in source["items"]]

    assert optional == [MANAGEMENT_URL.key]


def test_a_key_that_came_from_a_file_is_read_again(settings: Settings, composed: Composed) -> None:
    file = settings.endpoint.api_key_file

    assert file is not None
    assert file.is_symlink(), "the kubelet swaps what stands behind a link"
    assert not [mount for mount in composed.pod.container["volumeMounts"] if "subPath" in mount]


def test_probes_ask_what_the_admin_port_answers(composed: Composed, settings: Settings) -> None:
    container = composed.pod.container
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    probes = {name: container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}

    assert ports == {"admin": settings.admin.port}
    assert {ports[probe["port"]] for probe in probes.values()} == {settings.admin.port}
    assert settings.admin.host == "0.0.0.0"  # the kubelet comes from outside the pod
    assert {probe["path"] for probe in probes.values()} <= _admin_paths()
    # A restart helps nobody whose broker is away, so only readiness may ask for more than a loop that turns.
    assert {name: probe["path"] for name, probe in probes.items()} == {
        "startup": "/livez",
        "liveness": "/livez",
        "readiness": "/readyz",
    }


def test_a_pod_monitor_scrapes_the_admin_port(composed: Composed) -> None:
    (port,) = composed.pod.container["ports"]
    scraped = [
        (endpoint["port"], endpoint.get("path", "/metrics"))
        for monitor in composed.rendered.all("PodMonitor")
        for endpoint in monitor["spec"]["podMetricsEndpoints"]
    ]

    assert scraped == ([(port["name"], "/metrics")] if composed.has("monitoring") else [])
    assert "/metrics" in _admin_paths()


def test_the_grace_period_outlasts_the_drain(composed: Composed, settings: Settings) -> None:
    grace = composed.pod.spec["terminationGracePeriodSeconds"]

    assert grace >= settings.worker.drain_timeout + MARGIN
    assert grace >= WorkerSettings().drain_timeout + MARGIN


def test_a_stalled_worker_has_a_minute_before_it_is_killed(composed: Composed) -> None:
    probe = composed.pod.container["livenessProbe"]

    assert probe["periodSeconds"] * probe["failureThreshold"] >= 60


def test_every_container_says_what_it_needs_and_what_it_may_take(composed: Composed) -> None:
    for workload in composed.rendered.workloads():
        for container in containers(workload):
            resources = container["resources"]
            for name in ("cpu", "memory"):
                assert 0 < _quantity(resources["requests"][name]) <= _quantity(resources["limits"][name])


def test_no_secret_is_in_a_manifest(composed: Composed) -> None:
    secret = {name.full for name in NAMES.values() if name.secret}
    texts = [*strings([*composed.rendered.objects])]

    assert composed.rendered.all("Secret") == []
    assert secret.isdisjoint(composed.pod.environment())
    # No address with a password, and no private key.
    assert [text for text in texts if re.search(r"://[^/\s]*@", text)] == []
    assert not [text for text in texts if "BEGIN" in text and "PRIVATE KEY" in text]


def test_the_readme_tells_every_key_that_has_to_be_created(composed: Composed) -> None:
    wanted = {key for keys in composed.pod.mounted_keys().values() for key in keys.values()}

    for key in wanted:
        assert key.source in README
        assert key.key in README


def _admin_paths() -> set[str]:
    server = AdminServer("127.0.0.1", 0, CollectorRegistry(), ReadinessObserver())
    return {resource.canonical for resource in server._application().router.resources()}


def _quantity(text: str) -> float:
    units = {"m": 0.001, "Mi": 2.0**20, "Gi": 2.0**30, "": 1.0}
    match = re.fullmatch(r"([0-9.]+)(m|Mi|Gi|)", str(text))
    assert match is not None, text
    return float(match[1]) * units[match[2]]
