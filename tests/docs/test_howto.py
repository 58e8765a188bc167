"""Each how-to page, followed beside a worker that runs already."""

import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import aio_pika

from service.core.facts import Settled
from service.core.topology import Topology
from service.settings import Settings
from service.simulator.server import Simulator
from tests.docs.pages import ROOT, page
from tests.docs.reader import SHOWN_PORT, Surroundings, reader
from tests.support.broker import Amqp
from tests.support.running import Running, running_worker, settings_for, simulated_endpoint

GUARD = 30.0
GONE = "nobody-listens-here"


@asynccontextmanager
async def worker_at_work(around: Surroundings, simulator: Simulator, key: Path | None = None) -> AsyncIterator[Running]:
    ledger = f"sqlite:///{around.folder}/ledger.db"
    settings = settings_for(around.broker_url, around.prefix, simulator.base_url, ledger=ledger)
    async with running_worker(settings if key is None else with_key_file(settings, key)) as running:
        yield running


def broker_of(around: Surroundings) -> dict[str, str]:
    return {"VIDEOGEN_BROKER__URL": around.broker_url}


def with_key_file(settings: Settings, key: Path) -> Settings:
    return settings.model_copy(update={"endpoint": settings.endpoint.model_copy(update={"api_key_file": key})})


async def test_requests_of_a_file_are_answered_and_the_second_time_from_the_ledger(around: Surroundings) -> None:
    async with simulated_endpoint() as simulator, worker_at_work(around, simulator):
        async with reader(page("docs/howto/send-requests.md"), around, broker_of(around)) as somebody:
            await somebody.follow()

        assert simulator.record.summary()["called_again"] == {}
        assert {post.idempotency_key for post in simulator.record.posts} == {"lighthouse-1", "lighthouse-2"}
        schema = json.loads((somebody.shell.folder / "request.schema.json").read_text())
        assert schema["title"] == "Request"


async def test_a_worker_calls_with_the_new_key_without_a_restart(around: Surroundings) -> None:
    folder = around.folder / "reader"
    folder.mkdir()
    key = folder / "api-key"
    key.write_text("the-old-key")
    async with simulated_endpoint() as simulator, worker_at_work(around, simulator, key):
        # The provider takes the new one alone.
        simulator.switches.accept_key("the-new-key")
        settings = {**broker_of(around), "NEW_KEY": "the-new-key"}
        async with reader(page("docs/howto/rotate-the-key.md"), around, settings) as somebody:
            await somebody.follow()

        assert [(post.status, post.accepted) for post in simulator.record.posts] == [(200, True)]


async def test_dead_letters_are_looked_at_replayed_and_discarded(around: Surroundings, amqp: Amqp) -> None:
    topology = Topology(around.prefix)
    differences = {"REQUEST_ID": "in-doubt", topology_name("results"): topology.results}
    async with simulated_endpoint() as simulator, worker_at_work(around, simulator) as running:
        await fill_the_parking_queues(running, simulator, amqp, topology)
        async with reader(
            page("docs/howto/replay-dead-letters.md"), around, broker_of(around), differences
        ) as somebody:
            await somebody.follow()
        # Six before, and four replays.
        await running.facts.wait_for(Settled, 10, GUARD)

        calls = {key: simulator.record.request(key)["accepted"] for key in ("late-1", "late-2", "late-3", "in-doubt")}
        assert calls == {"late-1": 1, "late-2": 1, "late-3": 1, "in-doubt": 2}
        assert await amqp.count(topology.dead) == 0
        assert await amqp.count(topology.undelivered) == 0


def topology_name(queue: str) -> str:
    """Name a queue as the pages do."""
    return str(getattr(Topology(), queue))


async def fill_the_parking_queues(running: Running, simulator: Simulator, amqp: Amqp, topology: Topology) -> None:
    """Leave three requests of an outage, one in doubt and a wrong one in `dead`, and a result that nobody got."""

    async def send(request_id: str, prompt: str, **more: str | None) -> None:
        body = json.dumps({"model": "wan2.2-t2v-plus", "prompt": prompt, "size": more.get("size")}).encode()
        message = aio_pika.Message(body, message_id=request_id, reply_to=more.get("reply_to"))
        await amqp.publish(topology.requests, message)

    simulator.switches.begin_outage("down")
    for request_id in ("late-1", "late-2", "late-3"):
        await send(request_id, "A lighthouse")
    await running.facts.wait_for(Settled, 3, GUARD)
    simulator.switches.end_outage()
    await send("in-doubt", "A lighthouse [sim: accept-then-504 then 200]")
    await send("wrong", "A lighthouse", size="1x1")
    await send("unheard", "A lighthouse", reply_to=GONE)
    await running.facts.wait_for(Settled, 6, GUARD)


async def test_an_overlay_of_ones_own_shows_where_values_go(around: Surroundings) -> None:
    start = around.folder / "checkout"
    shutil.copytree(ROOT / "deploy", start / "deploy")
    async with reader(page("docs/howto/run-on-kubernetes.md"), around, start=start) as somebody:
        await somebody.follow()

    ours = start / "deploy" / "kubernetes" / "overlays" / "ours" / "kustomization.yaml"
    assert "Yours" in ours.read_text()


async def test_an_example_is_answered_by_a_demo_that_stays_up(around: Surroundings) -> None:
    settings = {"VIDEOGEN_TEST_AMQP_URL": around.broker_url}
    async with reader(page("docs/examples/README.md"), around, settings, start=ROOT) as somebody:
        demo, example = somebody.page.run
        await somebody.run(demo)
        (prefix,) = (
            line.removeprefix("Queues: ").removesuffix(".*")
            for line in somebody.shell.staying[0].output
            if line.startswith("Queues: ")
        )
        shown = {"amqp://guest:guest@127.0.0.1:PORT/": around.broker_url, "videogen-demo-ID": prefix}
        assert all(each in example.script for each in shown)
        await replace(somebody, differences=shown).run(example)


async def test_a_model_is_added_checked_and_asked_for(around: Surroundings) -> None:
    endpoint = f"http://127.0.0.1:{around.endpoint_port}"
    settings = {
        **broker_of(around),
        "VIDEOGEN_ENDPOINT__BASE_URL": endpoint,
        "VIDEOGEN_ENDPOINT__API_KEY": "any-key",
    }
    differences = {SHOWN_PORT: str(around.endpoint_port)}
    async with reader(page("docs/howto/add-a-model.md"), around, settings, differences) as somebody:
        await somebody.follow()
        catalogue = json.loads((somebody.shell.folder / "models.json").read_text())

    # The page itself asked for a video of the new model, and ended with 0.
    names = [model["name"] for model in catalogue["models"]]
    assert len(names) == len(set(names)) == 5
