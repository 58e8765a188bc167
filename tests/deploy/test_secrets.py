"""Secrets: a key that is replaced while the worker runs, and that nothing the product says holds any of them."""

import asyncio
import json
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from uuid import uuid4

import aio_pika
import httpx
import pytest

from service.cli.check import _findings
from service.private_broker.free_ports import free_ports
from service.private_broker.installation import Installation
from service.settings import SettingsError, load_settings
from service.simulator.server import Simulator
from tests.deploy.tls.connect_proxy import ConnectProxy, connect_proxy
from tests.deploy.tls.front import tls_front
from tests.deploy.tls.guarded import AMQP, KEY, MANAGEMENT, OLD_KEY, PROXY, REDIS, SECRETS, WRONG, Guarded, guarded
from tests.deploy.tls.leaks import leaks
from tests.deploy.tls.machine import installation_here
from tests.deploy.tls.mounted import Mounted
from tests.deploy.tls.papers import server_context
from tests.deploy.tls.sabotage import CRASH, sabotaged
from tests.e2e.test_requests import request
from tests.support.broker import Amqp, amqp_client, announce
from tests.support.environment import environment
from tests.support.process import Process, process
from tests.support.running import simulated_endpoint

CONSUMING = "consumer active"
REQUEST = ("--model", "wan2.2-t2v-plus", "--prompt")


@pytest.mark.parametrize("place", ["named file", "secrets directory"])
async def test_a_key_that_kubernetes_replaces_is_used_at_once(
    place: str, broker_url: str, prefix: str, amqp: Amqp, tmp_path: Path
) -> None:
    name = "VIDEOGEN_ENDPOINT__API_KEY"
    mounted = Mounted(tmp_path / "secrets", {name: b"sk-the-first-key\n"})
    async with simulated_endpoint() as simulator:
        given = environment(broker_url, prefix, simulator.base_url)
        del given[name]
        # Whatever waits for a probe waits for longer than this test.
        given["VIDEOGEN_WORKER__PROBE_FIRST"] = "5m"
        if place == "named file":
            given[f"{name}_FILE"] = str(mounted.path(name))
        else:
            given["VIDEOGEN_SECRETS_DIR"] = str(tmp_path / "secrets")
        async with process(environment=given) as worker, httpx.AsyncClient(trust_env=False) as client:
            await worker.says(CONSUMING)
            await client.put(f"{simulator.base_url}/_sim/key", content="sk-the-second-key")
            await amqp.publish(f"{prefix}.requests", aio_pika.Message(request("a cat"), message_id="r1"))
            assert '"blocked"' in await worker.says("paused: no call starts")

            mounted.swap({name: b"sk-the-second-key\n"})
            await worker.says("the endpoint's key was read anew")
            result = await amqp.receive(f"{prefix}.results")
        assert json.loads(result.body)["status"] == "submitted"
    assert "sk-the-" not in "\n".join(worker.output)


@pytest.fixture(scope="module")
def installation() -> Installation:
    return installation_here()


@pytest.fixture
def stand(installation: Installation, tmp_path: Path, pytestconfig: pytest.Config) -> Iterator[Guarded]:
    with guarded(tmp_path, lambda line: announce(pytestconfig, line)) as stand:
        yield stand


class Listener:
    """All that was said, by whom; `found` what of it must not be."""

    def __init__(self) -> None:
        self.said: dict[str, str] = {}

    async def run(self, status: int, *arguments: str, settings: Mapping[str, str], holds: str = "") -> None:
        """Run a command to its end; `holds` is a text that shows that it did what was meant."""
        # In a narrow table, line breaks would hide a secret.
        async with process(*arguments, environment={**settings, "COLUMNS": "2000"}) as command:
            assert await command.exits() == status, command.output
        text = self.said[f"{' '.join(arguments)} {len(self.said)}"] = "\n".join(command.output)
        assert holds in text

    @property
    def found(self) -> dict[str, set[str]]:
        return {who: leak for who, text in self.said.items() if (leak := leaks(text, SECRETS))}


async def parked(url: str, prefix: str, count: int) -> str:
    """Take all results and copies, with every property."""
    texts: list[str] = []
    async with amqp_client(url) as amqp:
        for queue in ("results", "dead"):
            for _ in range(count):
                message = await amqp.receive(f"{prefix}.{queue}")
                texts += [message.body.decode(), repr(message.info())]
    return "\n".join(texts)


# A dozen processes.
@pytest.mark.timeout(300)
async def test_no_secret_is_in_anything_that_the_product_says(stand: Guarded, tmp_path: Path) -> None:
    prefix, listener, key_file = f"s-{uuid4().hex[:8]}", Listener(), tmp_path / "key"
    key_file.write_text(OLD_KEY.text)
    await stand.let_in(AMQP)
    await stand.let_in(MANAGEMENT, "monitoring")
    (admin_port,) = free_ports(1)
    known = [secret for secret in SECRETS if secret is not WRONG]
    words = " ".join(form for secret in known for form in (secret.text, secret.encoded, secret.login))
    context = server_context(stand.papers.issue("server", "localhost"))
    async with (
        simulated_endpoint() as simulator,
        tls_front(simulator.base_url, context) as front,
        connect_proxy(ConnectProxy(f"{PROXY.user}:{PROXY.text}")) as proxy,
    ):
        settings = stand.settings(prefix, front.url(), proxy.port, key_file)
        running = settings | sabotaged(tmp_path / "sabotage", words) | {"VIDEOGEN_ADMIN__PORT": str(admin_port)}
        async with process("run", environment=running, folder=tmp_path) as worker:
            await worker.says(CONSUMING)
            assert leaks(of_process(worker, "environ"), SECRETS), "a secret that is there is not found"
            await work_through(stand, prefix, simulator, worker, key_file, listener, admin_port)
            await asyncio.gather(
                listener.run(0, "check", settings=settings, holds="connected, 8 queues"),
                listener.run(1, "submit", *REQUEST, "a defect", settings=settings, holds="internal"),
                listener.run(0, "dead", "show", "r-echo", settings=settings, holds="[redacted]"),
            )
            listener.said["messages"] = await parked(stand.node.url, prefix, 2)
            (tmp_path / CRASH).touch()
            assert await worker.exits() == 1
        listener.said["run, until it crashed"] = "\n".join(worker.output)
        assert '"critical"' in worker.output[-1]
        await faulty(stand, settings, listener)
    await wrong(settings, listener)
    assert listener.found == {}, list(listener.found)
    assert "[redacted]" in listener.said["messages"]


def of_process(worker: Process, file: str) -> str:
    """Read what the system shows of a process (Linux)."""
    return Path(f"/proc/{worker._child.pid}/{file}").read_bytes().decode()


async def work_through(
    stand: Guarded,
    prefix: str,
    simulator: Simulator,
    worker: Process,
    key_file: Path,
    listener: Listener,
    admin_port: int,
) -> None:
    """Let a worker meet all that a call can come to, and look at it from outside meanwhile."""

    async def send(name: str, prompt: str) -> None:
        async with amqp_client(stand.node.url) as amqp:
            await amqp.publish(f"{prefix}.requests", aio_pika.Message(request(prompt), message_id=name))
        await worker.says(f'"request_id": "{name}"')

    async def look(path: str) -> str:
        async with httpx.AsyncClient(trust_env=False) as client:
            return (await client.get(f"http://127.0.0.1:{admin_port}/{path}")).text

    await asyncio.to_thread(key_file.write_text, KEY.text)
    await worker.says("the endpoint's key was read anew")
    echo = " ".join(form for secret in (KEY, OLD_KEY) for form in (secret.text, secret.encoded))
    simulator.switches.begin_outage(f'400 message="Incorrect API key provided: {echo}"')
    await send("r-echo", "a cat")
    await worker.says('"rejected"')
    await send("r-defect", "a defect")
    await worker.says("defect found")
    simulator.switches.begin_outage(f'401 message="Incorrect API key provided: {echo}"')
    await send("r-paused", "a dog")
    await worker.says("paused: no call starts")
    listener.said["readyz while it is blocked"] = await look("readyz")
    simulator.switches.end_outage()
    await worker.says("pause over")
    listener.said["readyz"] = await look("readyz")
    listener.said["metrics"] = await look("metrics")
    listener.said["command line"] = of_process(worker, "cmdline")


async def faulty(stand: Guarded, settings: dict[str, str], listener: Listener) -> None:
    """Let everybody refuse us, and everything be away."""
    (closed,) = free_ports(1)
    refused = settings | {
        "HTTPS_PROXY": f"http://{WRONG.login}@127.0.0.1:{closed}",
        "VIDEOGEN_LEDGER__URL": settings["VIDEOGEN_LEDGER__URL"].replace(REDIS.encoded, WRONG.encoded),
        "VIDEOGEN_BROKER__MANAGEMENT_URL": f"http://{WRONG.login}@127.0.0.1:{stand.management_port}",
    }
    nowhere = refused | {"VIDEOGEN_BROKER__URL": stand.broker_url(WRONG)}
    async with (
        process("run", environment=refused) as without_ledger,
        process("run", environment=nowhere) as without_broker,
    ):
        await asyncio.gather(
            listener.run(1, "check", settings=refused, holds="Redis refused the login"),
            listener.run(1, "submit", *REQUEST, "a cat", settings=nowhere, holds="refused the login"),
            listener.run(1, "dead", "list", settings=nowhere, holds="refused the login"),
        )
        await without_ledger.says("Redis refused the login")
        await without_broker.says("the broker refused the login")
        for worker in (without_ledger, without_broker):
            worker.signal(signal.SIGTERM)
            assert await worker.exits() == 0
    no_tls = nowhere | {"VIDEOGEN_BROKER__URL": stand.broker_url(AMQP).replace("amqp://", "amqps://")}
    listener.said["check without TLS"] = repr(await _findings(load_settings(no_tls)))
    listener.said["run without a ledger"] = "\n".join(without_ledger.output)
    listener.said["run without a broker"] = "\n".join(without_broker.output)


async def wrong(settings: dict[str, str], listener: Listener) -> None:
    """Give settings that cannot be used."""
    bad = {
        "VIDEOGEN_BROKER__URL": f"amqp://{AMQP.user}:{AMQP.text}@127.0.0.1:5672/",
        "VIDEOGEN_BROKER__MANAGEMENT_URL": f"http://{MANAGEMENT.login}@127.0.0.1:99999",
        "VIDEOGEN_LEDGER__URL": f"redis://:{REDIS.text}@127.0.0.1/zero?password={REDIS.encoded}",
        "VIDEOGEN_ENDPOINT__BASE_URL": f"https://me:{KEY.encoded}@127.0.0.1",
        "VIDEOGEN_API_KEY": KEY.text,
    }
    bad_key = {"VIDEOGEN_ENDPOINT__API_KEY": f"Bearer {KEY.text}", "VIDEOGEN_ENDPOINT__API_KEY_FILE": ""}
    with pytest.raises(SettingsError) as refused:
        load_settings(settings | bad | bad_key)
    listener.said["wrong settings"] = str(refused.value)
    bad_proxy = {"HTTPS_PROXY": f"gopher://{PROXY.login}@127.0.0.1:1"}
    await listener.run(2, "run", settings=settings | bad_proxy, holds="HTTPS_PROXY")
