"""The worker as a process: signals, exit status, what it says."""

import asyncio
import json
import signal
from pathlib import Path

import aio_pika
import httpx
import pytest
from yarl import URL

from service.private_broker.free_ports import free_ports
from tests.e2e.test_requests import replies_of, request
from tests.support.broker import Amqp
from tests.support.environment import environment
from tests.support.process import process
from tests.support.requester import open_requester
from tests.support.running import simulated_endpoint
from tests.support.tcp_proxy import TcpProxy

CONSUMING = "consumer active"


@pytest.mark.pain(7)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
async def test_a_signal_with_20_calls_in_flight_gives_20_results_and_hands_the_rest_back(
    number: signal.Signals, broker_url: str, prefix: str, amqp: Amqp
) -> None:
    async with (
        simulated_endpoint() as simulator,
        process(
            environment=environment(broker_url, prefix, simulator.base_url, VIDEOGEN_WORKER__CONCURRENCY="20")
        ) as worker,
    ):
        await worker.says(CONSUMING)
        async with open_requester(broker_url, prefix) as requester:
            for n in range(30):
                await requester.send(request("a cat [sim: hold]"), f"r{n}")
            await simulator.record.wait_in_flight(20)
            worker.signal(number)
            await worker.says("drain started")
            simulator.release(for_good=True)
            replies = await replies_of(requester, 20)
            status = await worker.exits()

        assert status == 0
        assert len({reply.correlation_id for reply in replies}) == 20
        assert {reply.body["status"] for reply in replies} == {"submitted"}
        assert len(simulator.record.posts) == 20
        assert await amqp.count(f"{prefix}.requests") == 10
        assert await amqp.count(f"{prefix}.dead") == 0


@pytest.mark.pain(7)
async def test_a_request_between_two_attempts_is_handed_back_on_a_signal(
    broker_url: str, prefix: str, amqp: Amqp
) -> None:
    async with (
        simulated_endpoint() as simulator,
        process(environment=environment(broker_url, prefix, simulator.base_url)) as worker,
    ):
        await worker.says(CONSUMING)
        await amqp.publish(
            f"{prefix}.requests",
            aio_pika.Message(request("a cat [sim: 429 retry-after=30]"), message_id="r1"),
        )
        await worker.says("retry planned")
        worker.signal(signal.SIGTERM)

        assert await worker.exits() == 0
        assert await amqp.count(f"{prefix}.requests") == 1
        assert await amqp.count(f"{prefix}.dead") == 0
        assert await amqp.count(f"{prefix}.results") == 0


async def test_a_second_signal_ends_the_process_at_once(broker_url: str, prefix: str) -> None:
    async with (
        simulated_endpoint() as simulator,
        process(environment=environment(broker_url, prefix, simulator.base_url)) as worker,
        open_requester(broker_url, prefix) as requester,
    ):
        await worker.says(CONSUMING)
        await requester.send(request("a cat [sim: hold]"), "r1")
        await simulator.record.wait_in_flight(1)
        worker.signal(signal.SIGTERM)
        await worker.says("drain started")
        worker.signal(signal.SIGTERM)

        assert await worker.exits() == 128 + signal.SIGTERM


@pytest.mark.pain(20)
async def test_a_broker_that_is_away_at_the_start_is_waited_for(broker_url: str, prefix: str) -> None:
    real = URL(broker_url)
    (admin_port,) = free_ports(1)
    async with simulated_endpoint() as simulator, TcpProxy(real.host or "", real.port or 5672) as proxy:
        proxy.close_listening()
        address = str(real.with_host("127.0.0.1").with_port(proxy.port))
        settings = environment(address, prefix, simulator.base_url, VIDEOGEN_ADMIN__PORT=str(admin_port))
        async with (
            process(environment=settings) as worker,
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{admin_port}", trust_env=False) as admin,
        ):
            await worker.says("broker connection down")
            alive, ready = await admin.get("/livez"), await admin.get("/readyz")
            assert (alive.status_code, ready.status_code) == (200, 503)
            assert "broker" in ready.text

            await proxy.open_listening()
            await worker.says(CONSUMING)
            assert (await admin.get("/readyz")).status_code == 200
            async with open_requester(broker_url, prefix) as requester:
                await requester.send(request("a cat"), "r1")
                (reply,) = await replies_of(requester, 1)
            assert reply.body["status"] == "submitted"
            assert 'videogen_requests_settled_total{outcome="submitted"} 1.0' in (await admin.get("/metrics")).text


async def test_wrong_settings_are_all_named_at_once_and_end_with_status_2() -> None:
    wrong = {
        "VIDEOGEN_BROKER__URL": "http://somewhere",
        "VIDEOGEN_ENDPOINT__TIMEOUT": "soon",
        "VIDEOGEN_WORKER__CONCURENCY": "8",
        "VIDEOGEN_RETRY__BASE": "1h",
    }
    async with process(environment=wrong) as worker:
        assert await worker.exits() == 2

    said = "\n".join(worker.output)
    for name in (*wrong, "VIDEOGEN_ENDPOINT__API_KEY", "VIDEOGEN_ENDPOINT__BASE_URL"):
        assert name in said
    assert "Traceback" not in said


@pytest.mark.pain(18)
async def test_a_queue_with_other_arguments_ends_the_worker_with_a_message_that_names_them(
    broker_url: str, prefix: str, amqp: Amqp
) -> None:
    await amqp.channel.declare_queue(
        f"{prefix}.dead", durable=True, arguments={"x-queue-type": "quorum", "x-delivery-limit": 5}
    )
    async with process(environment=environment(broker_url, prefix, "http://127.0.0.1:9")) as worker:
        assert await worker.exits() == 1

    said = worker.output[-1]
    for part in (f"{prefix}.dead", "x-delivery-limit", "'5'", "'1000000000'"):
        assert part in said
    assert "Traceback" not in "\n".join(worker.output)


async def test_a_port_in_use_ends_the_worker_with_a_message(broker_url: str, prefix: str) -> None:
    listener = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    settings = environment(broker_url, prefix, "http://127.0.0.1:9", VIDEOGEN_ADMIN__PORT=str(port))
    async with listener, process(environment=settings) as worker:
        assert await worker.exits() == 1
        assert "VIDEOGEN_ADMIN__PORT" in worker.output[-1]


async def test_the_log_has_one_line_a_request_and_neither_payload_nor_key(
    broker_url: str, prefix: str, tmp_path: Path
) -> None:
    async with (
        simulated_endpoint() as simulator,
        process(environment=environment(broker_url, prefix, simulator.base_url), folder=tmp_path) as worker,
    ):
        await worker.says(CONSUMING)
        async with open_requester(broker_url, prefix) as requester:
            await requester.send(request("the secret prompt"), "r1")
            await requester.send(request("the secret prompt [sim: 400]"), "r2")
            await replies_of(requester, 2)
        worker.signal(signal.SIGTERM)
        await worker.exits()

    settled = [json.loads(line) for line in worker.output if '"request_id"' in line]
    assert sorted((line["request_id"], line["outcome"]) for line in settled) == [
        ("r1", "submitted"),
        ("r2", "rejected"),
    ]
    said = "\n".join(worker.output)
    assert "secret" not in said
    assert "test-key" not in said
