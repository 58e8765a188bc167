"""Each file of docs/examples as a process, with a real broker, a real worker and the simulated endpoint."""

import asyncio
import json
import re
from pathlib import Path
from uuid import uuid4

import pytest
from aio_pika import DeliveryMode

from tests.deploy.harness.command import run, tool
from tests.deploy.rabbitmq.brokers import OnTheInstalledRabbitMQ
from tests.deploy.rabbitmq.stand import ADMIN, PRODUCER, Stand
from tests.deploy.rabbitmq.worker import worker_on
from tests.interop.examples.example import FOLDER, Example
from tests.interop.examples.place import OVER_AMQP, THROUGH_THE_API, Place, over_amqp, through_the_api
from tests.support.links import proxy_to, with_address

# A broker has to be started, and a package of npm's installed.
pytestmark = pytest.mark.timeout(240)

MODEL = "wan2.2-t2v-plus"
REQUEST_ID = "order-1"
NOWHERE = "127.0.0.1:9"
WITHOUT_RECONNECT = tuple(name for name in OVER_AMQP if name != "client_producer.py")


def request(prompt: str, **fields: object) -> str:
    return json.dumps({"model": MODEL, "prompt": prompt, **fields}, ensure_ascii=False)


class EachExample:
    """What holds for every example, at the `place` that a class of tests gives."""

    async def test_a_good_request_ends_with_0_and_its_task_id(self, place: Place, tmp_path: Path) -> None:
        async with place.worker(tmp_path) as simulator:
            ended = await place.example.run()

        (post,) = simulator.record.posts
        assert (ended.status, ended.said, ended.complained) == (0, post.task_id, "")

    async def test_the_command_that_its_head_shows_sends_what_it_shows(self, place: Place, tmp_path: Path) -> None:
        body, request_id = place.example.shown()
        async with place.worker(tmp_path) as simulator:
            ended = await place.example.run(body, request_id)

        assert ended.status == 0, ended.complained
        (post,) = simulator.record.posts
        assert (post.body, post.idempotency_key) == (json.loads(body), request_id)

    async def test_a_wrong_request_ends_with_1_and_its_error(self, place: Place, tmp_path: Path) -> None:
        async with place.worker(tmp_path) as simulator:
            ended = await place.example.run(request('A "fox" in Zürich', size="100x100"))

        assert (ended.status, ended.complained) == (1, "")
        assert re.match("invalid_request: .*100x100", ended.said)
        assert simulator.record.posts == ()

    async def test_a_field_that_nobody_knows_ends_with_1_and_is_named(self, place: Place, tmp_path: Path) -> None:
        async with place.worker(tmp_path) as simulator:
            ended = await place.example.run(request("A fox", promt="A lighthouse"))

        assert (ended.status, ended.complained) == (1, "")
        assert "promt" in ended.said
        assert simulator.record.posts == ()

    async def test_without_an_answer_it_ends_with_2_and_under_the_same_id_gets_it_later(
        self, place: Place, tmp_path: Path
    ) -> None:
        body = request('A "fox" in Zürich')
        await place.declare()
        ended = await place.example.impatient(tmp_path).run(body, REQUEST_ID)

        assert (ended.status, ended.said) == (2, "")
        assert REQUEST_ID in ended.complained
        waiting = await place.waiting_request()
        assert (waiting.message_id, waiting.content_type) == (REQUEST_ID, "application/json")
        assert (waiting.delivery_mode, bool(waiting.reply_to)) == (DeliveryMode.PERSISTENT, True)
        assert json.loads(waiting.body) == json.loads(body)

        async with place.worker(tmp_path) as simulator:
            again = await place.example.run(body, REQUEST_ID)

        (post,) = simulator.record.posts
        assert (again.status, again.said) == (0, post.task_id)

    async def test_a_request_that_no_queue_takes_ends_with_2_before_its_wait_is_over(self, place: Place) -> None:
        async with place.exchange_alone():
            ended = await place.example.run(request("A fox"), REQUEST_ID)

        assert (ended.status, ended.said) == (2, "")
        assert REQUEST_ID in ended.complained

    async def test_where_no_worker_ever_ran_it_ends_with_2_before_its_wait_is_over(self, place: Place) -> None:
        ended = await place.example.run(request("A fox"), REQUEST_ID)

        assert (ended.status, ended.said) == (2, "")
        assert REQUEST_ID in ended.complained
        assert "worker" in ended.complained
        assert "Traceback" not in ended.complained

    async def test_where_the_broker_is_away_it_ends_with_2(self, place: Place, tmp_path: Path) -> None:
        away = place.example.impatient(tmp_path).at(
            VIDEOGEN_BROKER__URL=f"amqp://guest:hidden@{NOWHERE}/",
            VIDEOGEN_BROKER__MANAGEMENT_URL=f"http://guest:hidden@{NOWHERE}",
        )
        ended = await away.run(request("A fox"), REQUEST_ID)

        assert (ended.status, ended.said) == (2, "")
        assert REQUEST_ID in ended.complained
        assert "hidden" not in ended.complained
        assert "Traceback" not in ended.complained


class TestOverAmqp(EachExample):
    @pytest.fixture(params=OVER_AMQP)
    def place(self, request: pytest.FixtureRequest, broker_url: str, prefix: str) -> Place:
        return over_amqp(request.param, broker_url, prefix)

    @pytest.mark.parametrize("name", WITHOUT_RECONNECT)
    async def test_a_connection_that_is_lost_ends_it_with_2_before_its_wait_is_over(
        self, name: str, broker_url: str, prefix: str, tmp_path: Path
    ) -> None:
        async with (
            proxy_to(broker_url) as proxy,
            over_amqp(name, broker_url, prefix).worker(tmp_path) as simulator,
        ):
            example = over_amqp(name, with_address(broker_url, port=proxy.port), prefix).example
            running = asyncio.create_task(example.run(request("A fox [sim: hold]"), REQUEST_ID))
            await simulator.record.wait_in_flight(1)
            proxy.cut()
            ended = await running
            simulator.release(for_good=True)

        assert (ended.status, ended.said) == (2, "")
        assert REQUEST_ID in ended.complained

    async def test_the_client_gets_its_answer_although_its_connection_is_lost(
        self, broker_url: str, prefix: str, tmp_path: Path
    ) -> None:
        name = "client_producer.py"
        async with (
            proxy_to(broker_url) as proxy,
            over_amqp(name, broker_url, prefix).worker(tmp_path) as simulator,
        ):
            example = over_amqp(name, with_address(broker_url, port=proxy.port), prefix).example
            running = asyncio.create_task(example.run(request("A fox [sim: hold]"), REQUEST_ID))
            await simulator.record.wait_in_flight(1)
            proxy.cut()
            simulator.release(for_good=True)
            ended = await running

        (post,) = simulator.record.posts
        assert (ended.status, ended.said) == (0, post.task_id), ended.complained


class TestThroughTheManagementApi(OnTheInstalledRabbitMQ, EachExample):
    @pytest.fixture
    def place(self, stand: Stand) -> Place:
        return through_the_api(stand.management_url(ADMIN), stand.url(ADMIN), f"test-{uuid4().hex[:12]}")

    async def test_it_leaves_no_queue_behind(self, stand: Stand, place: Place, tmp_path: Path) -> None:
        async with place.worker(tmp_path):
            before = await stand.ask(ADMIN, "GET", "queues/%2F")
            ended = await place.example.run()
            after = await stand.ask(ADMIN, "GET", "queues/%2F")

        assert ended.status == 0, ended.complained
        assert {queue["name"] for queue in after} == {queue["name"] for queue in before}

    async def test_all_examples_get_one_answer_under_one_id_with_the_names_that_a_worker_has_by_default(
        self, stand: Stand, tmp_path: Path
    ) -> None:
        await stand.lay_out()
        tagged = {"password": stand.passwords[PRODUCER], "tags": "management"}
        await stand.ask(ADMIN, "PUT", f"users/{PRODUCER}", tagged)
        variables = {
            "VIDEOGEN_BROKER__URL": stand.url(PRODUCER),
            "VIDEOGEN_BROKER__MANAGEMENT_URL": stand.management_url(PRODUCER),
        }
        async with worker_on(stand, tmp_path) as (_, simulator):
            ended = {
                name: await Example.named(name, **variables).run(request("A fox"), REQUEST_ID)
                for name in (*OVER_AMQP, THROUGH_THE_API)
            }

        (post,) = simulator.record.posts
        said = {name: (end.status, end.said, end.complained) for name, end in ended.items()}
        assert said == dict.fromkeys(said, (0, post.task_id, ""))


def test_the_table_names_every_example() -> None:
    table = re.findall(r"^\| \[([^]]+)\]\(\1\) \|", (FOLDER / "README.md").read_text(encoding="utf-8"), re.MULTILINE)

    assert sorted(table) == sorted((*OVER_AMQP, THROUGH_THE_API))
    assert {path.name for path in FOLDER.iterdir() if path.is_file()} == {*table, "README.md"}


def test_the_script_passes_shellcheck() -> None:
    assert run(tool("shellcheck"), FOLDER / THROUGH_THE_API) == ""
