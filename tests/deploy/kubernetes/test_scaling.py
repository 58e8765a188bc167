"""KEDA: it counts the right messages, in the right queue, and lets busy workers finish."""

from pathlib import Path

import pytest

from service.settings import Settings
from tests.deploy.kubernetes.compositions import Composition
from tests.deploy.kubernetes.given_values import MANAGEMENT_URL, values_for
from tests.deploy.kubernetes.rendering import Manifest, Rendered, render
from tests.deploy.kubernetes.worker_pod import WorkerPod

SCALED = (Composition(components=("redis-ledger", "keda")), Composition(overlay="production"))


@pytest.fixture(scope="module", params=SCALED, ids=str)
def scaled(
    request: pytest.FixtureRequest, kubectl: str, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Rendered, Settings]:
    composition: Composition = request.param
    rendered = render(kubectl, composition.folder(tmp_path_factory.mktemp("overlay")))
    pod = WorkerPod(rendered).unpack(tmp_path_factory.mktemp("pod"), values_for(composition))
    return rendered, pod.settings()


def _trigger(rendered: Rendered) -> Manifest:
    (trigger,) = rendered.one("ScaledObject")["spec"]["triggers"]
    found: Manifest = trigger
    return found


def test_it_scales_the_deployment_whose_number_it_alone_sets(scaled: tuple[Rendered, Settings]) -> None:
    rendered, _ = scaled
    deployment = rendered.one("Deployment")

    assert rendered.one("ScaledObject")["spec"]["scaleTargetRef"] == {
        "apiVersion": deployment["apiVersion"],
        "kind": deployment["kind"],
        "name": deployment["metadata"]["name"],
    }
    assert "replicas" not in deployment["spec"]


def test_it_counts_what_waits_and_what_workers_hold(scaled: tuple[Rendered, Settings]) -> None:
    rendered, settings = scaled
    metadata = _trigger(rendered)["metadata"]

    assert metadata["queueName"] == settings.topology.requests
    # Over AMQP only what waits is counted.
    assert metadata["protocol"] == "http"
    assert metadata.get("excludeUnacknowledged", "false") == "false"
    assert metadata["mode"] == "QueueLength"
    assert float(metadata["value"]) == settings.worker.concurrency


def test_it_gets_the_address_from_the_secret(scaled: tuple[Rendered, Settings]) -> None:
    rendered, _ = scaled
    authentication = rendered.one("TriggerAuthentication", _trigger(rendered)["authenticationRef"]["name"])["spec"]
    references = {entry["parameter"]: (entry["name"], entry["key"]) for entry in authentication["secretTargetRef"]}

    assert references["host"] == (MANAGEMENT_URL.source, MANAGEMENT_URL.key)


def test_in_production_it_trusts_the_authority_that_workers_trust(kubectl: str) -> None:
    production = render(kubectl, Composition(overlay="production").folder(Path()))
    authentication = production.one("TriggerAuthentication")["spec"]
    (broker_tls,) = (
        volume["secret"]["secretName"]
        for volume in WorkerPod(production).spec["volumes"]
        if volume["name"] == "broker-tls"
    )

    assert {"parameter": "ca", "name": broker_tls, "key": "ca.crt"} in authentication["secretTargetRef"]
    (switch,) = authentication["configMapTargetRef"]
    assert switch["parameter"] == "tls"
    assert production.one("ConfigMap", switch["name"])["data"][switch["key"]] == "enable"


def test_busy_workers_are_not_sent_away(scaled: tuple[Rendered, Settings]) -> None:
    rendered, settings = scaled
    spec = rendered.one("ScaledObject")["spec"]
    down = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]["scaleDown"]
    grace = WorkerPod(rendered).spec["terminationGracePeriodSeconds"]

    # Longer than a request is held, retries included, so that a moment of quiet is none.
    assert down["stabilizationWindowSeconds"] > settings.longest_hold
    assert spec["cooldownPeriod"] > settings.longest_hold
    (policy,) = down["policies"]
    assert (policy["type"], policy["value"]) == ("Pods", 1)
    assert policy["periodSeconds"] > grace


def test_there_are_two_to_a_bounded_number_of_workers(scaled: tuple[Rendered, Settings]) -> None:
    rendered, _ = scaled
    spec = rendered.one("ScaledObject")["spec"]

    assert 2 <= spec["minReplicaCount"] < spec["maxReplicaCount"] <= 10
