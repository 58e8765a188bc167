"""Whom the worker may talk to, and who may talk to it: that, and nothing else."""

from collections.abc import Iterator

from yarl import URL

from service.settings import Settings
from tests.deploy.kubernetes.conftest import Composed
from tests.deploy.kubernetes.rendering import WORKER, Manifest

_DNS_PEERS = ("namespace kube-system, k8s-app=kube-dns", "169.254.20.10/32")
_PRIVATE = "10.0.0.0/8 100.64.0.0/10 169.254.0.0/16 172.16.0.0/12 192.168.0.0/16"
_PUBLIC = (f"0.0.0.0/0 but {_PRIVATE}", "::/0 but fc00::/7 fe80::/10")

_ALWAYS = {
    "in TCP/admin namespace monitoring",
    *(f"out {protocol}/53 {peer}" for protocol in ("UDP", "TCP") for peer in _DNS_PEERS),
}
_ENDPOINT = {f"out TCP/443 {peer}" for peer in _PUBLIC}


def flows(policies: list[Manifest]) -> set[str]:
    """List what the policies let through, one line for each direction, port and peer."""
    return {flow for policy in policies for flow in _flows(policy["spec"])}


def _flows(spec: Manifest) -> Iterator[str]:
    for direction, rules, peers in (("in", "ingress", "from"), ("out", "egress", "to")):
        for rule in spec.get(rules, []):
            for port in rule.get("ports") or [{}]:
                for peer in rule.get(peers) or [{}]:
                    yield f"{direction} {port.get('protocol', 'TCP')}/{port.get('port', 'any')} {_shown(peer)}"


def _shown(peer: Manifest) -> str:
    if block := peer.get("ipBlock"):
        return " but ".join((block["cidr"], " ".join(block["except"]))) if "except" in block else str(block["cidr"])
    parts: list[str] = []
    if "namespaceSelector" in peer:
        parts.append(f"namespace {peer['namespaceSelector']['matchLabels']['kubernetes.io/metadata.name']}")
    if "podSelector" in peer:
        parts += [f"{name}={value}" for name, value in peer["podSelector"]["matchLabels"].items()]
    return ", ".join(parts) or "anybody"


def _wanted(composed: Composed) -> set[str]:
    amqp, management = (5671, 15671) if composed.has("tls") else (5672, 15672)
    dev = composed.composition.overlay == "dev"
    broker = "app=rabbitmq" if dev else "namespace rabbitmq"
    return {
        *_ALWAYS,
        *({"out TCP/9090 app.kubernetes.io/name=videogen-simulator"} if dev else _ENDPOINT),
        *(f"out TCP/{port} {broker}" for port in (amqp, management)),
        *({"out TCP/6379 namespace redis"} if composed.has("redis-ledger") else set()),
    }


def test_the_worker_reaches_what_it_needs_and_nothing_else(composed: Composed) -> None:
    assert flows(composed.rendered.all("NetworkPolicy")) == _wanted(composed)


def test_what_no_policy_names_is_shut_in_both_directions(composed: Composed) -> None:
    assert set(composed.rendered.one("NetworkPolicy", WORKER)["spec"]["policyTypes"]) == {"Ingress", "Egress"}


def test_the_port_of_each_address_in_the_settings_is_open(composed: Composed, settings: Settings) -> None:
    ports = {"amqp": 5672, "amqps": 5671}
    addresses = [URL(settings.broker.url.get_secret_value()), URL(settings.endpoint.base_url)]
    addresses += [URL(url.get_secret_value()) for url in (settings.broker.management_url, settings.ledger.url) if url]
    wanted = {url.port or ports[url.scheme] for url in addresses if url.scheme != "sqlite"}
    allowed = {flow.split()[1] for flow in flows(composed.rendered.all("NetworkPolicy")) if flow.startswith("out")}

    assert wanted
    assert {f"TCP/{port}" for port in wanted} <= allowed
