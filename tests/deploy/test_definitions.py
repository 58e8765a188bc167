"""deploy/rabbitmq: definitions and operator resources say what the worker declares, and a fresh broker takes them."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from service.private_broker.probe import NoAnswerError, server_version
from tests.chaos.harness.waiting import until
from tests.deploy.harness.command import ROOT
from tests.deploy.harness.page import typed
from tests.deploy.rabbitmq.brokers import OnRabbitMQ4, OnTheInstalledRabbitMQ
from tests.deploy.rabbitmq.definitions import (
    COMPLETIONS_FILE,
    DEFAULTS,
    FILE,
    FOLDER,
    completions,
    objects_of,
    shipped,
)
from tests.deploy.rabbitmq.node_settings import node_settings
from tests.deploy.rabbitmq.operator_resources import CLUSTER, OPERATOR, rendered, resources_for, user_resource
from tests.deploy.rabbitmq.stand import ADMIN, MONITOR, PRODUCER, WORKER, Stand
from tests.docs.pages import page
from tests.support.environment import environment
from tests.support.process import process
from tests.support.running import simulated_endpoint

# A broker has to be started.
pytestmark = pytest.mark.timeout(240)

USERS = (WORKER, PRODUCER, MONITOR)
README = (FOLDER / "README.md").read_text()
# A queue tells its policies from time to time, and the management API collects that from time to time.
COLLECTED = 40.0


def test_the_definitions_hold_the_topology_that_the_worker_declares() -> None:
    wanted = objects_of(DEFAULTS.topology)
    found = {kind: shipped()[kind] for kind in wanted}
    assert found == wanted, "write it anew: .venv/bin/python -m tests.deploy.rabbitmq.definitions"


def test_the_definitions_for_completions_hold_what_a_worker_declares_besides() -> None:
    found = json.loads(COMPLETIONS_FILE.read_text())
    assert found == completions(), "write it anew: .venv/bin/python -m tests.deploy.rabbitmq.definitions"
    assert {kind: len(objects) for kind, objects in found.items()} == {"queues": 1, "bindings": 1}


def test_the_definitions_hold_nothing_else_but_the_users_without_passwords() -> None:
    definitions = shipped()
    described = {"vhosts", "users", "permissions", "topic_permissions", "exchanges", "queues", "bindings"}
    assert set(definitions) == described
    assert [user["name"] for user in definitions["users"]] == list(USERS)
    assert [user["password_hash"] for user in definitions["users"]] == [""] * len(USERS)
    assert not any("password" in user for user in definitions["users"])
    # Without one for this exchange, a user may write with every routing key that the exchange takes.
    granted = {grant["user"]: grant["exchange"] for grant in definitions["topic_permissions"]}
    assert granted == dict.fromkeys((WORKER, PRODUCER), DEFAULTS.topology.exchange)


def test_the_page_shows_every_permission() -> None:
    definitions = shipped()
    tags = {user["name"]: "".join(f", `{tag}`" for tag in user["tags"]) for user in definitions["users"]}
    rows = [
        *(
            f"| `{grant['user']}`{tags[grant['user']]} |" + "".join(cell(grant[what]) for what in GRANTED)
            for grant in definitions["permissions"]
        ),
        *(f"| `{grant['user']}` | writes{cell(grant['write'])}" for grant in definitions["topic_permissions"]),
    ]
    assert [row for row in rows if row not in README.splitlines()] == []


GRANTED = ("configure", "write", "read")


def cell(pattern: str) -> str:
    escaped = pattern.replace("|", r"\|")
    return " |" if pattern == "^$" else f" `{escaped}` |"


def test_the_operators_resources_are_those_of_the_definitions(kubectl: str) -> None:
    found = {key(each): each for each in rendered(kubectl) if each["kind"] not in {"RabbitmqCluster", POD_BUDGET}}
    assert found == {key(each): each for each in resources_for(shipped())}


POD_BUDGET = "PodDisruptionBudget"


def key(resource: dict[str, Any]) -> tuple[str, str]:
    return resource["kind"], resource["metadata"]["name"]


@pytest.fixture
def cluster(kubectl: str) -> dict[str, Any]:
    (found,) = (each for each in rendered(kubectl) if each["kind"] == "RabbitmqCluster")
    assert found["metadata"]["name"] == CLUSTER
    spec: dict[str, Any] = found["spec"]
    return spec


def test_the_operators_nodes_are_three_each_on_a_host_and_a_disk_of_its_own(
    kubectl: str, cluster: dict[str, Any]
) -> None:
    assert cluster["replicas"] == 3
    (apart,) = cluster["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    (spread,) = cluster["override"]["statefulSet"]["spec"]["template"]["spec"]["topologySpreadConstraints"]
    (budget,) = (each["spec"] for each in rendered(kubectl) if each["kind"] == POD_BUDGET)
    ours = {"matchLabels": {"app.kubernetes.io/name": CLUSTER}}
    assert [apart["labelSelector"], spread["labelSelector"], budget["selector"]] == [ours] * 3
    assert (apart["topologyKey"], spread["topologyKey"]) == ("kubernetes.io/hostname", "topology.kubernetes.io/zone")
    assert budget["maxUnavailable"] == 1
    assert cluster["persistence"]["storage"].endswith("Gi")
    # Memory beyond the limit would end a node, and what is asked for is not more than it gets.
    assert cluster["resources"]["requests"]["memory"] == cluster["resources"]["limits"]["memory"]


def test_the_operators_nodes_have_the_settings_that_the_compose_cluster_runs_with(cluster: dict[str, Any]) -> None:
    operators = node_settings(cluster["rabbitmq"]["additionalConfig"])
    composed = node_settings((ROOT / "deploy" / "compose" / "cluster" / "rabbitmq.conf").read_text())
    assert operators.keys() < composed.keys()
    assert {name for name in operators if operators[name] != composed[name]} == {"disk_free_limit.absolute"}
    assert int(operators["consumer_timeout"]) == 1000 * DEFAULTS.broker.consumer_timeout


def test_the_operators_cluster_takes_tls(kubectl: str, tmp_path: Path) -> None:
    (tmp_path / "kustomization.yaml").write_text(
        json.dumps({"resources": [relative(OPERATOR, tmp_path)], "components": [relative(OPERATOR / "tls", tmp_path)]})
    )
    secured = {key(each): each["spec"].pop("tls", None) for each in rendered(kubectl, tmp_path)}
    tls = {"secretName": f"{CLUSTER}-tls", "disableNonTLSListeners": True}
    assert {which: how for which, how in secured.items() if how} == {("RabbitmqCluster", CLUSTER): tls}
    assert f"{CLUSTER}-tls" in README


def relative(folder: Path, start: Path) -> str:
    # kustomize takes no absolute paths.
    return str(Path(*[".."] * (len(start.resolve().parts) - 1)) / folder.resolve().relative_to("/"))


def test_the_page_names_the_secret_of_every_user() -> None:
    assert [user for user in USERS if user_resource(user) not in README] == []


class FreshBroker:
    """What a fresh broker makes of the definitions."""

    @pytest.fixture
    async def fresh(self, stand: Stand) -> Stand:
        await stand.clear()
        return stand

    async def test_it_takes_the_definitions_and_lets_nobody_in_without_a_password(self, fresh: Stand) -> None:
        await fresh.control("import_definitions", await fresh.place(FILE))

        refused = []
        for user in USERS:
            for password in ("", user):
                with pytest.raises(NoAnswerError, match="refused"):
                    await server_version(f"amqp://{user}:{password}@{fresh.amqp}/")
                refused.append(user)
        assert len(refused) == 2 * len(USERS)

    async def test_a_worker_that_declares_nothing_finds_all_that_it_needs(self, fresh: Stand, tmp_path: Path) -> None:
        await fresh.control("import_definitions", await fresh.place(FILE))
        for user in (WORKER, MONITOR):
            await fresh.control("change_password", user, f"of-{user}")
            fresh.passwords[user] = f"of-{user}"
        await until(lambda: told_policies(fresh), "the queues have told their policies", COLLECTED)

        async with simulated_endpoint() as simulator:
            settings = environment(
                fresh.url(WORKER),
                DEFAULTS.topology.prefix,
                simulator.base_url,
                VIDEOGEN_BROKER__DECLARE="false",
                VIDEOGEN_BROKER__MANAGEMENT_URL=fresh.management_url(MONITOR),
                VIDEOGEN_LEDGER__URL=f"sqlite:///{tmp_path}/ledger.db",
            )
            async with process("check", "--json", environment=settings) as check:
                status = await check.exits()

        findings = [json.loads(line) for line in check.output]
        # Brokers before 3.12 tell no consumer timeout.
        untold = {"consumer timeout"} if fresh.version.startswith("3.1") else set()
        assert [each for each in findings if each["ok"] is not True and each["check"] not in untold] == []
        assert status == 0
        assert sum(each["check"].startswith("queue ") for each in findings) == len(DEFAULTS.topology.queues)

    async def test_the_command_of_the_page_adds_the_queue_for_completions(self, fresh: Stand) -> None:
        await fresh.control("import_definitions", await fresh.place(FILE))
        (block,) = page("docs/completion.md").left_to(__file__)
        program, command, file = block.script.split()
        assert (program, ROOT / file) == ("rabbitmqctl", COMPLETIONS_FILE)

        await fresh.control(command, await fresh.place(ROOT / file))

        (queue,), (binding,) = completions()["queues"], completions()["bindings"]
        there = await fresh.ask(ADMIN, "GET", f"queues/%2F/{queue['name']}")
        assert (there["durable"], there["arguments"]) == (True, queue["arguments"])
        bound = await fresh.ask(ADMIN, "GET", f"queues/%2F/{queue['name']}/bindings")
        assert [each["routing_key"] for each in bound if each["source"]] == [binding["routing_key"]]

    async def test_a_second_import_takes_the_passwords_away(self, fresh: Stand) -> None:
        file = await fresh.place(FILE)
        await fresh.control("import_definitions", file)
        await fresh.control("change_password", WORKER, "ours")
        url = f"amqp://{WORKER}:ours@{fresh.amqp}/"
        assert await server_version(url) == fresh.version

        await fresh.control("import_definitions", file)

        with pytest.raises(NoAnswerError, match="refused"):
            await server_version(url)


async def told_policies(stand: Stand) -> bool:
    queues = await stand.ask(ADMIN, "GET", "queues/%2F")
    return all("effective_policy_definition" in queue for queue in queues)


class TestTheInstalledRabbitMQ(OnTheInstalledRabbitMQ, FreshBroker):
    pass


class TestRabbitMQ4(OnRabbitMQ4, FreshBroker):
    # Only here can a shell have `rabbitmqctl` ask for something.
    async def test_the_commands_of_the_page_import_set_passwords_and_shut_the_guest_out(self, fresh: Stand) -> None:
        (block,) = page("deploy/rabbitmq/README.md").left_to(__file__)
        assert fresh.command is not None
        answers = {f"change_password {user}": f"change_password {user} <<< of-{user}" for user in USERS}
        here = {"rabbitmqctl": fresh.command, "definitions.json": await fresh.place(FILE), **answers}
        try:
            await asyncio.to_thread(typed, block, {}, here)
            for user in USERS:
                assert await server_version(f"amqp://{user}:of-{user}@{fresh.amqp}/") == fresh.version
            with pytest.raises(NoAnswerError, match="refused"):
                await server_version(f"amqp://{ADMIN}:{ADMIN}@{fresh.amqp}/")
        finally:
            # The tests after this one need it.
            await fresh.control("add_user", ADMIN, ADMIN)
            await fresh.control("set_user_tags", ADMIN, "administrator")
            await fresh.control("set_permissions", ADMIN, ".*", ".*", ".*")

    # Older ones have no `hash_password`.
    async def test_a_hash_put_into_the_definitions_outlives_every_import(self, fresh: Stand, tmp_path: Path) -> None:
        definitions = shipped()
        hashed = (await fresh.control("--quiet", "hash_password", "ours")).split()[-1]
        (definitions["users"][0]["name"], definitions["users"][0]["password_hash"]) = (WORKER, hashed)
        (tmp_path / "ours.json").write_text(json.dumps(definitions))
        file = await fresh.place(tmp_path / "ours.json")

        for _ in range(2):
            await fresh.control("import_definitions", file)
            assert await server_version(f"amqp://{WORKER}:ours@{fresh.amqp}/") == fresh.version
