"""`amqps://`, with a RabbitMQ that asks clients for certificates: what works, and what is said where it does not."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import aio_pika
import pytest
import trustme
from pydantic import SecretStr

from service.adapters.certificates import CertificateError, CertificateFiles, FileNames
from service.adapters.management import ManagementUnavailable, management_api
from service.adapters.rabbitmq.configured import link_options_of
from service.adapters.rabbitmq.connect import open_connection
from service.app import assemble
from service.cli.check import _findings
from service.client import NotPublished, Options, VideogenClient
from service.core.facts import LinkDown
from service.core.finding import Finding, Verdict
from service.exit_status import ExitStatus
from service.lifecycle import run
from service.private_broker.installation import Installation
from service.settings import BrokerSettings, Settings, load_settings
from tests.deploy.tls.broker_faults import FAULTS, UNUSABLE, faulty, unusable
from tests.deploy.tls.front import refuse_late
from tests.deploy.tls.machine import installation_here
from tests.deploy.tls.mounted import Mounted
from tests.deploy.tls.papers import server_context
from tests.deploy.tls.secure_broker import SecureBroker, secure_broker
from tests.deploy.tls.sockets import listening
from tests.support.broker import amqp_client, announce, entered
from tests.support.fakes import RecordingObserver
from tests.support.process import Process, process
from tests.support.running import running_worker, simulated_endpoint

NOWHERE = "http://127.0.0.1:9"
DOWN = "broker connection down"
CONSUMING = "consumer active"
WAIT_LIMIT = 40.0
REQUEST = ("--model", "wan2.2-t2v-plus", "--prompt", "a cat")


@pytest.fixture(scope="module")
def installation() -> Installation:
    return installation_here()


@pytest.fixture(scope="module")
def secure(
    installation: Installation, tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator[SecureBroker]:
    context = secure_broker(tmp_path_factory.mktemp("papers"), lambda line: announce(pytestconfig, line))
    with entered(context) as broker:
        yield broker


@pytest.fixture
def prefix() -> str:
    """Names of this test's own queues; they go away with the node."""
    return f"tls-{uuid4().hex[:8]}"


def reasons(worker: Process) -> list[str]:
    """List why the connections of a worker went down, or did not come up."""
    return [json.loads(line)["reason"] for line in worker.output if DOWN in line]


async def goes_down(worker: Process, why: str, times: int = 1) -> None:
    """Wait until so many failures were told that hold `why`."""
    async with asyncio.timeout(WAIT_LIMIT), worker._changed:
        await worker._changed.wait_for(lambda: sum(why in reason for reason in reasons(worker)) >= times)


async def finding(settings: Settings) -> Finding:
    """Tell what `check` finds of the broker."""
    found = await _findings(settings)
    return next(each for each in found if each.what == "broker and topology")


async def told(worker: Process, status: int) -> str:
    """Wait for the end of a command, and tell the last that it said: no traceback, at any rate."""
    assert await worker.exits() == status, worker.output
    assert "Traceback" not in "\n".join(worker.output)
    return worker.output[-1]


async def answered(secure: SecureBroker, prefix: str) -> bool:
    """Send a request over the plain port, and tell whether it got a task id."""
    async with amqp_client(secure.node.url) as amqp:
        body = json.dumps({"model": "wan2.2-t2v-plus", "prompt": "a cat"}).encode()
        await amqp.publish(f"{prefix}.requests", aio_pika.Message(body, message_id=uuid4().hex))
        result = await amqp.receive(f"{prefix}.results")
    return bool(json.loads(result.body)["status"] == "submitted")


@asynccontextmanager
async def worker_of(settings: Mapping[str, str]) -> AsyncIterator[Process]:
    """Run a worker that has to stop cleanly at the end."""
    async with process(environment=settings) as worker:
        yield worker
        worker.signal(signal.SIGTERM)
        assert await worker.exits() == 0
    assert "Traceback" not in "\n".join(worker.output)


async def test_run_check_and_submit_work_with_a_client_certificate(secure: SecureBroker, prefix: str) -> None:
    async with simulated_endpoint() as simulator:
        settings = secure.settings(prefix, simulator.base_url)
        async with worker_of(settings) as worker:
            await worker.says(CONSUMING)
            async with process("submit", "--json", *REQUEST, environment=settings) as submitting:
                assert await submitting.exits() == 0
            result = json.loads(next(line for line in submitting.output if line.startswith("{")))
            assert result["status"] == "submitted"
            async with process("check", "--json", environment=settings) as checking:
                assert await checking.exits() == 0
            assert any(f"localhost:{secure.port}/: connected, 8 queues" in line for line in checking.output)
    assert len(simulator.record.posts) == 1


def options_of_client(secure: SecureBroker, prefix: str, **changes: Path | None) -> Options:
    """Give the options of a program that is let in, but for these changes."""
    files = {"ca_file": secure.papers.our_ca, "cert_file": secure.client.certificate, "key_file": secure.client.key}
    return replace(Options(prefix=prefix, reconnect_cap=0.3), **{**files, **changes})  # type: ignore[arg-type] # paths only


async def test_a_program_with_the_client_and_a_certificate_gets_its_answer(secure: SecureBroker, prefix: str) -> None:
    async with simulated_endpoint() as simulator:
        settings = load_settings(secure.settings(prefix, simulator.base_url))
        async with (
            running_worker(settings),
            VideogenClient(secure.url(), options_of_client(secure, prefix)) as client,
        ):
            result = await client.generate(model="wan2.2-t2v-plus", prompt="a cat", timeout=WAIT_LIMIT)
    assert [post.task_id for post in simulator.record.posts] == [result.task_id]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"cert_file": None, "key_file": None}, "set Options.cert_file and Options.key_file"),
        ({"ca_file": None}, "from an unknown authority: set Options.ca_file"),
    ],
)
async def test_a_client_that_tls_forbids_names_its_own_options(
    changes: dict[str, None], said: str, secure: SecureBroker, prefix: str
) -> None:
    async with VideogenClient(secure.url(), options_of_client(secure, prefix, **changes)) as client:
        with pytest.raises(NotPublished, match=said):
            await client.generate(model="wan2.2-t2v-plus", prompt="a cat", timeout=3.0)


async def test_files_that_a_client_cannot_use_are_named_by_its_options(secure: SecureBroker, prefix: str) -> None:
    garbage = secure.papers.write("garbage.pem", b"garbage")
    with pytest.raises(CertificateError, match=r"Options\.ca_file="):
        VideogenClient(secure.url(), options_of_client(secure, prefix, ca_file=garbage))
    with pytest.raises(CertificateError, match=r"Options\.cert_file=.*Options\.key_file="):
        VideogenClient(secure.url(), options_of_client(secure, prefix, cert_file=garbage))


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_connection_that_tls_forbids_is_explained_and_tried_again(
    fault: str, secure: SecureBroker, prefix: str
) -> None:
    settings = load_settings(secure.settings(prefix, NOWHERE, **faulty(secure, fault)))
    facts = RecordingObserver()
    async with assemble(settings, facts) as worker:
        running = asyncio.create_task(run(worker))
        # Three of each of the two connections, or more of one: it goes on trying.
        await facts.until(lambda: len(facts.of(LinkDown)) >= 6, guard=WAIT_LIMIT)
        worker.drain.begin()
        assert await running is ExitStatus.OK
    assert all(FAULTS[fault] in down.reason for down in facts.of(LinkDown)), facts.of(LinkDown)
    found = await finding(settings)
    assert found.verdict is Verdict.WRONG
    assert FAULTS[fault] in found.said
    assert "guest:guest" not in found.said


async def test_the_worker_and_the_check_tell_it_as_processes_too(secure: SecureBroker, prefix: str) -> None:
    settings = secure.settings(prefix, NOWHERE, cert_file="", key_file="")
    async with worker_of(settings) as worker, process("check", "--json", environment=settings) as checking:
        await goes_down(worker, "asks for a client certificate", times=3)
        assert await checking.exits() == 1
    assert any("asks for a client certificate: set VIDEOGEN_BROKER__CERT_FILE" in line for line in checking.output)
    assert "Traceback" not in "\n".join(checking.output)


@pytest.mark.parametrize("fault", UNUSABLE)
async def test_files_that_cannot_be_used_are_named_at_the_start(fault: str, secure: SecureBroker, prefix: str) -> None:
    settings = load_settings(secure.settings(prefix, NOWHERE, **unusable(secure, fault)))
    with pytest.raises(CertificateError) as refused:
        async with assemble(settings):
            pass
    found = await finding(settings)
    for said in (str(refused.value), found.said):
        assert UNUSABLE[fault] in said
        assert "VIDEOGEN_BROKER__" in said
    assert found.verdict is Verdict.WRONG


@pytest.mark.parametrize(("fault", "said"), [("missing", "there is no such file"), ("garbage", "holds no certificate")])
async def test_files_that_cannot_be_used_end_the_worker(
    fault: str, said: str, secure: SecureBroker, prefix: str
) -> None:
    secure.papers.write("garbage.pem", b"garbage")
    settings = secure.settings(prefix, NOWHERE, ca_file=secure.papers.our_ca.with_name(f"{fault}.pem"))
    async with process(environment=settings) as worker:
        last = await told(worker, 2)
    assert said in last
    assert f"VIDEOGEN_BROKER__CA_FILE='{settings['VIDEOGEN_BROKER__CA_FILE']}'" in last


async def test_a_server_certificate_that_is_renewed_brings_the_worker_back(secure: SecureBroker, prefix: str) -> None:
    secure.papers.issue("server", "localhost", expired=True)
    await secure.forget_files()
    async with simulated_endpoint() as simulator:
        settings = secure.settings(prefix, simulator.base_url)
        async with worker_of(settings) as worker:
            why = "the broker's certificate, or one that it hangs on, has expired: renew it"
            try:
                await goes_down(worker, why)
                assert why in (await finding(load_settings(settings))).said
            finally:
                secure.papers.issue("server", "localhost")
                await secure.forget_files()
            await worker.says(CONSUMING)
            assert await answered(secure, prefix)


async def test_files_that_are_rotated_count_from_the_next_connection_on(
    secure: SecureBroker, prefix: str, tmp_path: Path
) -> None:
    papers, new = secure.papers, trustme.CA()
    issued = papers.issue("rotated", "worker.example", by=new)
    old = {
        "ca.crt": papers.our_ca.read_bytes(),
        "tls.crt": secure.client.certificate.read_bytes(),
        "tls.key": secure.client.key.read_bytes(),
    }
    rotated = {
        "ca.crt": new.cert_pem.bytes(),
        "tls.crt": issued.certificate.read_bytes(),
        "tls.key": issued.key.read_bytes(),
    }
    mounted = Mounted(tmp_path / "tls", old)
    files = {"ca_file": "ca.crt", "cert_file": "tls.crt", "key_file": "tls.key"}
    try:
        async with simulated_endpoint() as simulator:
            changes = {setting: mounted.path(name) for setting, name in files.items()}
            async with worker_of(secure.settings(prefix, simulator.base_url, **changes)) as worker:
                await worker.says(CONSUMING)
                papers.issue("server", "localhost", by=new)
                papers.write(secure.clients.name, new.cert_pem.bytes())
                await secure.forget_files()
                await secure.node.run_ctl("close_all_connections", "the authority was replaced")
                await goes_down(worker, "is from an unknown authority")

                # Whoever replaces files one by one leaves a pair that does not fit, for a while.
                mounted.swap({**rotated, "tls.key": old["tls.key"]})
                await goes_down(worker, "the key belongs to another certificate")
                mounted.swap(rotated)
                await worker.says("broker connected again")
                assert await answered(secure, prefix)
    finally:
        papers.issue("server", "localhost")
        papers.write(secure.clients.name, papers.our_ca.read_bytes())
        await secure.forget_files()


async def test_authorities_of_the_system_can_be_named_by_the_environment(
    secure: SecureBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(secure.papers.our_ca))
    broker = BrokerSettings(
        url=SecretStr(secure.url()), cert_file=secure.client.certificate, key_file=secure.client.key
    )
    async with open_connection(link_options_of(broker)) as connection:
        assert not connection.is_closed


async def test_a_management_api_that_misses_a_client_certificate_is_explained(secure: SecureBroker) -> None:
    """With TLS 1.3 that is heard of after the handshake, where the library raises what it raises nowhere else."""
    context = server_context(secure.server, secure.clients)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert not await refuse_late(reader, writer, context)

    trust = CertificateFiles(FileNames.of_settings("VIDEOGEN_BROKER"), secure.papers.our_ca).context()
    async with listening(serve) as port:
        url = SecretStr(f"https://watcher:hidden@localhost:{port}")
        with pytest.raises(ManagementUnavailable) as unavailable:
            async with management_api(url, "/", trust, time_limit=5.0) as api:
                await api.cluster_name()
    assert "the management API asks for a client certificate: set VIDEOGEN_BROKER__CERT_FILE" in str(unavailable.value)
    assert "hidden" not in str(unavailable.value)
