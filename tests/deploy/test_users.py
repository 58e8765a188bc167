"""The users of deploy/rabbitmq/definitions.json on real brokers: each may do its work, and nothing else."""

import json
import shlex
from pathlib import Path

import httpx
import pytest
from aio_pika.abc import AbstractChannel

from service.adapters.rabbitmq.declare import declare as topology_at_broker
from service.client import Options, Replies, VideogenClient
from service.core.facts import ConsumptionPaused, PauseReason
from service.demo.scenes import SCENES
from tests.chaos.harness.waiting import until
from tests.deploy.rabbitmq.attempts import (
    Attempt,
    consume,
    declare,
    declare_exchange,
    delete,
    delete_exchange,
    get,
    listen,
    publish,
    purge,
    refused,
)
from tests.deploy.rabbitmq.brokers import OnRabbitMQ4, OnTheInstalledRabbitMQ
from tests.deploy.rabbitmq.definitions import DEFAULTS
from tests.deploy.rabbitmq.producer import DIRECT, open_producer, outcome
from tests.deploy.rabbitmq.stand import ADMIN, MONITOR, PRODUCER, WORKER, Stand
from tests.deploy.rabbitmq.worker import worker_on
from tests.docs.pages import page
from tests.support.environment import environment
from tests.support.process import process
from tests.support.running import Running

# A broker has to be started, and one of the wait queues takes 10 s.
pytestmark = pytest.mark.timeout(240)

TOPOLOGY = DEFAULTS.topology
QUEUES = tuple(spec.name for spec in TOPOLOGY.queues)
WORKED_ON = (TOPOLOGY.requests, TOPOLOGY.dead, TOPOLOGY.undelivered)
WAIT_LIMIT = 40.0


def request(prompt: str) -> bytes:
    return json.dumps({"model": "wan2.2-t2v-plus", "prompt": prompt}).encode()


async def until_ready(stand: Stand, queue: str, count: int) -> None:
    async def holds() -> bool:
        return await stand.ready(queue) == count

    await until(holds, f"{count} messages are in {queue}", WAIT_LIMIT)


class UsersOfTheDefinitions:
    """What holds on every broker; `laid_out` has the queues and users of the definitions, and nothing else."""

    @pytest.fixture
    async def laid_out(self, stand: Stand) -> Stand:
        await stand.lay_out()
        return stand

    async def test_the_workers_user_is_enough_for_a_worker(self, laid_out: Stand, tmp_path: Path) -> None:
        async with worker_on(laid_out, tmp_path) as (running, simulator), open_producer(laid_out.url(PRODUCER)) as ours:
            # Waits in the first wait queue, while the others are answered.
            await ours.ask("postponed", request("[sim: 429 x3]"))
            for scene in SCENES:
                await ours.ask(scene.title, scene.body, encoding=scene.content_encoding)
            told = {scene.title: outcome(await ours.answer(scene.title)) for scene in SCENES}
            assert told == {scene.title: str(scene.expected or "submitted") for scene in SCENES}

            await ours.ask("to the results", request("a cat"), reply_to=None)
            await ours.ask("an error to the results", b"no JSON", reply_to=None)
            await until_ready(laid_out, TOPOLOGY.results, 2)
            await ours.ask("to nowhere", request("a cat"), reply_to="reply.gone")
            await until_ready(laid_out, TOPOLOGY.undelivered, 1)
            async with open_producer(laid_out.url(PRODUCER), DIRECT) as direct:
                await direct.ask("directly", request("a cat"))
                assert outcome(await direct.answer("directly")) == "submitted"

            assert outcome(await ours.answer("postponed")) == "submitted"

            simulator.switches.begin_outage("quota")
            await ours.ask("held up", request("a cat"))
            await running.facts.until(lambda: PauseReason.BLOCKED in {p.reason for p in paused(running)}, WAIT_LIMIT)
            simulator.switches.end_outage()
            assert outcome(await ours.answer("held up")) == "submitted"

        assert await laid_out.ready(TOPOLOGY.dead) == 1 + sum(scene.expected is not None for scene in SCENES)
        assert await laid_out.ready(TOPOLOGY.requests) == 0

    async def test_the_workers_user_is_enough_for_the_operators_commands(self, laid_out: Stand, tmp_path: Path) -> None:
        async def command(*arguments: str) -> tuple[int, str]:
            settings = environment(laid_out.url(WORKER), TOPOLOGY.prefix, "http://127.0.0.1:9")
            async with process(*arguments, environment=settings, folder=tmp_path) as ended:
                return await ended.exits(), "\n".join(ended.output)

        async with worker_on(laid_out, tmp_path), open_producer(laid_out.url(PRODUCER)) as ours:
            await ours.ask("refused", request("[sim: 400 code=DataInspectionFailed then 200]"), reply_to="reply.gone")
            await until_ready(laid_out, TOPOLOGY.undelivered, 1)
            await until_ready(laid_out, TOPOLOGY.dead, 1)

            status, said = await command("dead", "list", "--json")
            assert (status, json.loads(said)["code"]) == (0, "rejected")
            assert await command("dead", "replay", "--all") == (0, "1 replayed.")
            await until_ready(laid_out, TOPOLOGY.undelivered, 2)

        assert await command("undelivered", "replay", "--code", "submitted", "--to", TOPOLOGY.results) == (
            0,
            "1 replayed.",
        )
        status, _ = await command("undelivered", "discard", "--all", "--yes")
        assert status == 0
        ready = [await laid_out.ready(queue) for queue in (TOPOLOGY.dead, TOPOLOGY.undelivered, TOPOLOGY.results)]
        assert ready == [0, 0, 1]

    async def test_the_workers_user_may_do_nothing_else(self, laid_out: Stand) -> None:
        forbidden: dict[str, Attempt] = {
            **{f"delete {queue}": delete(queue) for queue in QUEUES},
            **{f"get from {queue}": get(queue) for queue in QUEUES if queue not in WORKED_ON},
            "delete the exchange": delete_exchange(TOPOLOGY.exchange),
            "publish requests through the exchange": publish(TOPOLOGY.exchange, "request"),
            "publish to another exchange": publish("amq.topic", "request"),
            "declare a queue": declare("mine"),
            "bind a queue": listen(TOPOLOGY.exchange, "request"),
        }
        assert await not_refused(laid_out, WORKER, forbidden) == []

    async def test_the_commands_of_the_readme_let_the_worker_declare(self, laid_out: Stand) -> None:
        assert await refused(laid_out, WORKER, declare_topology)

        (block,) = page("deploy/rabbitmq/README.md").left_to(__file__)
        for each in block.script.splitlines():
            program, *arguments = shlex.split(each)
            assert program == "rabbitmqctl"
            await laid_out.control(*arguments)

        assert not await refused(laid_out, WORKER, declare_topology)
        for queue in QUEUES:
            await laid_out.ask(ADMIN, "DELETE", f"queues/%2F/{queue}")
        await laid_out.ask(ADMIN, "DELETE", f"exchanges/%2F/{TOPOLOGY.exchange}")
        assert not await refused(laid_out, WORKER, declare_topology)

    async def test_the_producers_user_has_private_queues(self, laid_out: Stand, tmp_path: Path) -> None:
        async with worker_on(laid_out, tmp_path):
            for name in (None, "reply.of-this-test", DIRECT):
                async with open_producer(laid_out.url(PRODUCER), name) as ours:
                    await ours.ask(f"to {name}", request("a cat"))
                    assert outcome(await ours.answer(f"to {name}")) == "submitted"

    async def test_the_producers_user_is_enough_for_the_client(self, laid_out: Stand, tmp_path: Path) -> None:
        async with worker_on(laid_out, tmp_path):
            for replies in Replies:
                async with VideogenClient(laid_out.url(PRODUCER), Options(replies=replies, timeout=30.0)) as client:
                    assert (await client.generate(prompt="a cat", model="wan2.2-t2v-plus")).task_id

    async def test_the_producers_user_may_do_nothing_else(self, laid_out: Stand) -> None:
        forbidden: dict[str, Attempt] = {
            **{f"get from {queue}": get(queue) for queue in QUEUES},
            **{f"consume {queue}": consume(queue) for queue in QUEUES},
            **{f"purge {queue}": purge(queue) for queue in QUEUES},
            **{f"delete {queue}": delete(queue) for queue in QUEUES},
            **{f"publish to {queue}": publish("", queue) for queue in QUEUES},
            **{f"publish {key}": publish(TOPOLOGY.exchange, key) for key in ("result.submitted", "result.failed", "x")},
            "publish to another exchange": publish("amq.topic", "request"),
            "declare the exchange": declare_exchange(TOPOLOGY.exchange),
            "declare an exchange": declare_exchange("mine"),
            "delete the exchange": delete_exchange(TOPOLOGY.exchange),
            "listen to requests": listen(TOPOLOGY.exchange, "request"),
            "listen to results": listen(TOPOLOGY.exchange, "result.#"),
            "declare a queue": declare("mine"),
            "declare a queue of ours": declare(f"{TOPOLOGY.prefix}.mine"),
            "have letters moved to any queue": declare(
                "reply.mine", {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": TOPOLOGY.dead}
            ),
        }
        assert await not_refused(laid_out, PRODUCER, forbidden) == []

    async def test_copy_headers_are_refused_from_4_0_3_on(self, laid_out: Stand) -> None:
        kinds = [publish(TOPOLOGY.exchange, "request", {header: ["result.failed"]}) for header in ("CC", "BCC")]
        heeded = [await refused(laid_out, PRODUCER, attempt) for attempt in kinds]

        checks_copies = tuple(map(int, laid_out.version.split(".")[:3])) >= (4, 0, 3)
        assert heeded == [checks_copies] * 2
        assert await laid_out.ready(TOPOLOGY.results) == (0 if checks_copies else 2)

    async def test_the_monitors_user_reads_figures_and_nothing_else(self, laid_out: Stand) -> None:
        assert not await refused(laid_out, PRODUCER, publish(TOPOLOGY.exchange, "request"))

        async def sees_it() -> bool:
            queue = await laid_out.ask(MONITOR, "GET", f"queues/%2F/{TOPOLOGY.requests}")
            return bool(queue.get("messages_ready") == 1)

        await until(sees_it, "the monitor sees the request", WAIT_LIMIT)
        assert len(await laid_out.ask(MONITOR, "GET", "nodes")) == 1

        forbidden: dict[str, Attempt] = {
            **{f"get from {queue}": get(queue) for queue in QUEUES},
            **{f"consume {queue}": consume(queue) for queue in QUEUES},
            **{f"publish to {queue}": publish("", queue) for queue in QUEUES},
            "publish a request": publish(TOPOLOGY.exchange, "request"),
            "declare a queue": declare(None),
        }
        assert await not_refused(laid_out, MONITOR, forbidden) == []
        peek = {"count": 1, "ackmode": "ack_requeue_true", "encoding": "auto"}
        message = {"properties": {}, "routing_key": "request", "payload": "{}", "payload_encoding": "string"}
        for method, path, body in (
            ("POST", "queues/%2F/videogen.requests/get", peek),
            ("POST", "exchanges/%2F/videogen/publish", message),
            ("DELETE", "queues/%2F/videogen.requests/contents", None),
            ("DELETE", "queues/%2F/videogen.requests", None),
            ("PUT", "policies/%2F/mine", {"pattern": "", "definition": {"max-length": 1}}),
            ("GET", "definitions", None),
            ("GET", "users", None),
        ):
            with pytest.raises(httpx.HTTPStatusError, match=r"'40[01] "):
                await laid_out.ask(MONITOR, method, path, body)
        assert await laid_out.ready(TOPOLOGY.requests) == 1


async def declare_topology(channel: AbstractChannel) -> None:
    await topology_at_broker(channel, TOPOLOGY)


def paused(running: Running) -> list[ConsumptionPaused]:
    return [fact for fact in running.facts.of(ConsumptionPaused) if fact.paused]


async def not_refused(stand: Stand, user: str, attempts: dict[str, Attempt]) -> list[str]:
    """Try each, and name those that were let."""
    return [name for name, attempt in attempts.items() if not await refused(stand, user, attempt)]


class TestOnTheInstalledRabbitMQ(OnTheInstalledRabbitMQ, UsersOfTheDefinitions):
    pass


class TestOnRabbitMQ4(OnRabbitMQ4, UsersOfTheDefinitions):
    pass
