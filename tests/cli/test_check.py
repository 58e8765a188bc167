import json
from pathlib import Path

import pytest

from tests.support.broker import Amqp
from tests.support.environment import environment
from tests.support.process import Process, process
from tests.support.running import simulated_endpoint


def findings(ended: Process) -> dict[str, bool]:
    lines = (json.loads(line) for line in ended.output if line.startswith("{"))
    return {line["check"]: line["ok"] for line in lines}


async def test_all_is_well(broker_url: str, prefix: str) -> None:
    async with simulated_endpoint() as simulator:
        settings = environment(broker_url, prefix, simulator.base_url)
        async with process("check", "--json", environment=settings) as check:
            assert await check.exits() == 0

        assert all(findings(check).values())
        assert simulator.record.posts == ()


async def test_a_broker_and_an_endpoint_that_are_away_are_both_named(prefix: str) -> None:
    settings = environment("amqp://guest:hidden@127.0.0.1:9/", prefix, "http://127.0.0.1:9")
    async with process("check", "--json", environment=settings) as check:
        assert await check.exits() == 1

    found = findings(check)
    assert (found["settings"], found["broker and topology"], found["endpoint"]) == (True, False, False)
    assert "hidden" not in "\n".join(check.output)


async def test_with_declare_off_a_missing_queue_is_named(broker_url: str, prefix: str) -> None:
    async with simulated_endpoint() as simulator:
        settings = environment(broker_url, prefix, simulator.base_url, VIDEOGEN_BROKER__DECLARE="false")
        async with process("check", "--json", environment=settings) as check:
            assert await check.exits() == 1

    assert findings(check)["broker and topology"] is False
    assert f"'{prefix}' does not exist" in "\n".join(check.output)


async def test_a_queue_with_other_arguments_is_named(broker_url: str, prefix: str, amqp: Amqp) -> None:
    await amqp.channel.declare_queue(f"{prefix}.results", durable=True, arguments={"x-queue-type": "classic"})
    settings = environment(broker_url, prefix, "http://127.0.0.1:9")
    async with process("check", "--json", environment=settings) as check:
        assert await check.exits() == 1

    said = "\n".join(check.output)
    for part in (f"{prefix}.results", "x-queue-type", "classic", "quorum"):
        assert part in said


async def test_wrong_settings_end_with_status_2() -> None:
    async with process("check", environment={"VIDEOGEN_WORKER__CONCURRENCY": "none"}) as check:
        assert await check.exits() == 2

    assert "VIDEOGEN_WORKER__CONCURRENCY" in "\n".join(check.output)


async def test_an_address_that_looks_like_markup_is_shown_as_it_is(prefix: str) -> None:
    settings = environment("amqp://127.0.0.1:9/", prefix, "http://[::1]:9/[/b]", COLUMNS="200")
    async with process("check", environment=settings) as check:
        assert await check.exits() == 1

    assert "http://[::1]:9/[/b]" in "\n".join(check.output)


def said(ended: Process, check: str) -> str:
    lines = (json.loads(line) for line in ended.output if line.startswith("{"))
    return next(str(line["said"]) for line in lines if line["check"] == check)


async def test_a_broker_that_is_away_is_explained_once(prefix: str) -> None:
    settings = environment("amqp://guest:hidden@127.0.0.1:9/", prefix, "http://127.0.0.1:9")
    async with process("check", "--json", environment=settings) as check:
        assert await check.exits() == 1

    assert said(check, "broker and topology") == (
        "amqp://***@127.0.0.1:9/: nothing listens at the broker address: "
        "check its host and port, and that RabbitMQ is running"
    )
    assert all(line.startswith("{") for line in check.output)


async def test_a_certificate_file_that_is_no_pem_is_named(prefix: str) -> None:
    settings = environment(
        "amqps://127.0.0.1:9/", prefix, "http://127.0.0.1:9", VIDEOGEN_BROKER__CA_FILE=str(Path(__file__))
    )
    async with process("check", "--json", environment=settings) as check:
        assert await check.exits() == 1

    assert "VIDEOGEN_BROKER__CA_FILE=" in said(check, "broker and topology")


@pytest.mark.parametrize(("name", "value"), [("SSL_CERT_FILE", "/nope"), ("HTTP_PROXY", "foo://bar")])
async def test_an_environment_that_lets_no_call_out_is_named(name: str, value: str, prefix: str) -> None:
    settings = environment("amqp://127.0.0.1:9/", prefix, "http://127.0.0.1:9", **{name: value})
    async with process("check", "--json", environment=settings) as check:
        assert await check.exits() == 1

    assert name in said(check, "endpoint")
