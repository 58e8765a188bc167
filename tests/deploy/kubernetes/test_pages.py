"""What pages show for a cluster, typed with the real kubectl, against a stand-in for a cluster that runs our pods."""

import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from service.simulator.server import Simulator
from tests.deploy.kubernetes.cluster.kinds import KINDS, POD, SECRET
from tests.deploy.kubernetes.cluster.kubelet import Host
from tests.deploy.kubernetes.cluster.stand_in import StandIn, stand_in
from tests.deploy.tls.front import tls_front
from tests.deploy.tls.papers import Papers, server_context
from tests.docs.pages import ROOT, page
from tests.docs.reader import Surroundings, surroundings
from tests.docs.shell import Shell, shell
from tests.support.running import simulated_endpoint

# Asked for by every test, so that all are left out where there is none.
pytestmark = pytest.mark.usefixtures("kubectl")

GATEWAY = "https://gateway.example.com"


@pytest.fixture
def around(broker_url: str, prefix: str, tmp_path: Path) -> Surroundings:
    return surroundings(broker_url, prefix, tmp_path)


@asynccontextmanager
async def at_a_cluster(
    around: Surroundings, files: Mapping[str, str] | None = None
) -> AsyncIterator[tuple[StandIn, Shell]]:
    """Sit down at a cluster that has a RabbitMQ in its registry, in a checkout with these files."""
    here = around.folder / "checkout"
    shutil.copytree(ROOT / "deploy", here / "deploy")
    for name, text in (files or {}).items():
        (here / name).write_text(text)
    address = urlsplit(around.broker_url)
    assert address.hostname is not None
    assert address.port is not None
    programs = {"rabbitmq:4-management": {5672: (address.hostname, address.port)}}
    host = Host(around.folder, programs, {"VIDEOGEN_BROKER__PREFIX": around.prefix})
    async with (
        stand_in(host) as cluster,
        shell(here, around.folder / "memory", around.environment(**cluster.environment)) as session,
    ):
        yield cluster, session
        assert cluster.unplayed == []


async def typed(session: Shell, script: str, differences: Mapping[str, str] | None = None, status: int = 0) -> str:
    """Type a script; `differences` are what must be typed here in place of what the page shows."""
    for shown, here in (differences or {}).items():
        assert shown in script, f"{shown} is not shown any more; correct the test"
        script = script.replace(shown, here)
    ended = await session.run(script)
    assert ended.status == status, ended.output
    return ended.output


@dataclass(frozen=True, slots=True)
class Production:
    """A cluster with namespace and Secrets, as the how-to page makes them, and what they lead to."""

    cluster: StandIn
    session: Shell
    simulator: Simulator

    async def put_in_values(self, overlay: str) -> None:
        """Put the values of this test at `Yours` of an overlay; those of the others may stay."""
        file = self.session.folder / "deploy" / "kubernetes" / "overlays" / overlay / "kustomization.yaml"
        text = file.read_text()
        assert GATEWAY in text
        file.write_text(text.replace(GATEWAY, self.simulator.base_url))


@asynccontextmanager
async def production(around: Surroundings, redis_url: str) -> AsyncIterator[Production]:
    """Have RabbitMQ behind TLS that asks for certificates, Redis, an endpoint, and a cluster that knows of them."""
    secrets, *_ = page("docs/howto/run-on-kubernetes.md").left_to(__file__)
    papers = Papers(around.folder)
    client = papers.issue("client", "worker.example")
    address = urlsplit(around.broker_url)
    async with (
        simulated_endpoint() as simulator,
        tls_front(around.broker_url, server_context(papers.issue("server", "localhost"), papers.our_ca)) as front,
    ):
        files = {
            "broker-url": f"amqps://{address.username}:{address.password}@localhost:{front.port}{address.path}",
            "management-url": "",
            "api-key": "the-first-key",
            "ledger-url": redis_url,
            "ca.crt": papers.our_ca.read_text(),
            "tls.crt": client.certificate.read_text(),
            "tls.key": client.key.read_text(),
        }
        async with at_a_cluster(around, files) as (cluster, session):
            await typed(session, secrets.script)
            yield Production(cluster, session, simulator)


async def test_the_overlay_for_trying_answers_a_request(around: Surroundings) -> None:
    (block,) = page("deploy/kubernetes/README.md").left_to(__file__)
    credentials = urlsplit(around.broker_url).netloc.rpartition("@")[0]

    async with at_a_cluster(around) as (_, session):
        said = await typed(session, block.script, {"guest:guest": credentials})

    assert "successfully rolled out" in said
    assert " submitted " in said


async def test_the_how_to_page_leads_to_a_worker_in_production(around: Surroundings, redis_url: str) -> None:
    how_to = page("docs/howto/run-on-kubernetes.md")
    (copy,) = how_to.run
    _, differ, bring, look = how_to.left_to(__file__)
    async with production(around, redis_url) as scene:
        await typed(scene.session, copy.script)
        await scene.put_in_values("ours")

        # kubectl ends so where something would change.
        planned = await typed(scene.session, differ.script, status=1)
        brought = await typed(scene.session, bring.script)
        seen = await typed(scene.session, look.script)

        assert planned.count("\n+kind: ") == brought.count(" created\n") > 10
        assert "successfully rolled out" in brought
        assert "consumer active" in seen
        assert [post.status for post in scene.simulator.record.posts] == [200]


async def test_the_overlay_for_production_is_applied_whole(around: Surroundings, redis_url: str) -> None:
    (block,) = page("README.md").left_to(__file__)
    async with production(around, redis_url) as scene:
        await scene.put_in_values("production")
        rendered = await typed(scene.session, "kubectl kustomize deploy/kubernetes/overlays/production")

        await typed(scene.session, block.script)
        await typed(scene.session, "kubectl -n videogen rollout status deployment/videogen-worker")

        wanted = {(each["kind"], each["metadata"]["name"]) for each in yaml.safe_load_all(rendered)}
        assert wanted <= {(each["kind"], each["metadata"]["name"]) for each in scene.cluster.store.all()}


async def test_a_new_key_in_the_secret_is_used_by_the_pod_that_runs(around: Surroundings, redis_url: str) -> None:
    how_to = page("docs/howto/run-on-kubernetes.md")
    (copy,) = how_to.run
    _, _, bring, look = how_to.left_to(__file__)
    (rotate,) = page("docs/howto/rotate-the-key.md").left_to(__file__)
    async with production(around, redis_url) as scene:
        await typed(scene.session, copy.script)
        await scene.put_in_values("ours")
        await typed(scene.session, bring.script)
        before = scene.cluster.store.all(POD)

        # The provider takes the new one alone.
        scene.simulator.switches.accept_key("the-second-key")
        (scene.session.folder / "api-key").write_text("the-second-key")
        await typed(scene.session, rotate.script)
        seen = await typed(scene.session, look.script)

        assert "the endpoint's key was read anew" in seen
        assert scene.simulator.record.posts[-1].status == 200
        assert [pod["metadata"]["name"] for pod in scene.cluster.store.all(POD)] == [
            pod["metadata"]["name"] for pod in before
        ]


async def test_the_cluster_of_rabbitmq_finds_the_secrets_of_its_users(around: Surroundings) -> None:
    (block,) = page("deploy/rabbitmq/README.md").left_to(__file__)
    async with at_a_cluster(around) as (cluster, session):
        await typed(session, block.script)

        (user,) = (kind for kind in KINDS if kind.name == "User")
        named = [each["spec"]["importCredentialsSecret"]["name"] for each in cluster.store.all(user)]
        made = {each["metadata"]["name"]: each for each in cluster.store.all(SECRET)}
        assert sorted(named) == sorted(made)
        assert len(named) == 3
        for secret in made.values():
            assert set(secret["data"]) == {"username", "password"}
            assert secret["metadata"]["labels"] == {"rabbitmq.com/topology-operator": "true"}
