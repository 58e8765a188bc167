import json
from pathlib import Path
from typing import Protocol

import pytest

from tests.support.broker import Amqp
from tests.support.environment import environment
from tests.support.management_api import cluster_of, empty_broker
from tests.support.process import Process, process
from tests.support.raw_server import raw_server
from tests.support.running import simulated_endpoint


def findings(ended: Process) -> dict[str, bool | None]:
    """Tell what was found; of several lines of one check the last counts."""
    lines = (json.loads(line) for line in ended.output if line.startswith("{"))
    return {line["check"]: line["ok"] for line in lines}


def said(ended: Process, check: str) -> str:
    lines = (json.loads(line) for line in ended.output if line.startswith("{"))
    return next(str(line["said"]) for line in lines if line["check"] == check)


class Given(Protocol):
    """Gives the settings of a command: broker, prefix, endpoint, and others by their names."""

    def __call__(self, broker_url: str, prefix: str, base_url: str, **more: str) -> dict[str, str]: ...


@pytest.fixture
def given(tmp_path: Path) -> Given:
    """Keep the ledger in a folder of the test's own."""
    ledger = f"sqlite:///{tmp_path}/ledger.db"

    def settings(broker_url: str, prefix: str, base_url: str, **more: str) -> dict[str, str]:
        return environment(broker_url, prefix, base_url, **{"VIDEOGEN_LEDGER__URL": ledger, **more})

    return settings


async def test_all_is_well(broker_url: str, prefix: str, given: Given) -> None:
    async with simulated_endpoint() as simulator:
        settings = given(broker_url, prefix, simulator.base_url)
        async with process("check", "--json", environment=settings) as check:
            assert await check.exits() == 0

        found = findings(check)
        # Nobody told where the management API is.
        unknown = ("management API", "consumer timeout")
        assert {what for what, ok in found.items() if ok is None} == set(unknown)
        assert all(ok for what, ok in found.items() if what not in unknown)
        assert simulator.record.posts == ()


async def test_a_broker_and_an_endpoint_that_are_away_are_both_named(prefix: str, given: Given) -> None:
    settings = given("amqp://guest:hidden@127.0.0.1:9/", prefix, "http://127.0.0.1:9")
    async with process("check", "--json", environment=settings) as check:
        assert await check.exits() == 1

    found = findings(check)
    assert (found["settings"], found["broker and topology"], found["endpoint"]) == (True, False, False)
    assert "hidden" not in "\n".join(check.output)


async def test_with_declare_off_a_missing_queue_is_named(broker_url: str, prefix: str, given: Given) -> None:
    async with simulated_endpoint() as simulator:
        settings = given(broker_url, prefix, simulator.base_url, VIDEOGEN_BROKER__DECLARE="false")
        async with process("check", "--json", environment=settings) as check:
            assert await check.exits() == 1

    assert findings(check)["broker and topology"] is False
    assert f"'{prefix}' does not exist" in "\n".join(check.output)


async def test_a_queue_with_other_arguments_is_named(broker_url: str, prefix: str, amqp: Amqp, given: Given) -> None:
    await amqp.channel.declare_queue(f"{prefix}.results", durable=True, arguments={"x-queue-type": "classic"})
    settings = given(broker_url, prefix, "http://127.0.0.1:9")
    async with process("check", "--json", environment=settings) as check:
        assert await check.exits() == 1

    said = "\n".join(check.output)
    for part in (f"{prefix}.results", "x-queue-type", "classic", "quorum"):
        assert part in said


async def test_wrong_settings_end_with_status_2() -> None:
    async with process("check", environment={"VIDEOGEN_WORKER__CONCURRENCY": "none"}) as check:
        assert await check.exits() == 2

    assert "VIDEOGEN_WORKER__CONCURRENCY" in "\n".join(check.output)


async def test_an_address_that_looks_like_markup_is_shown_as_it_is(prefix: str, given: Given) -> None:
    settings = given("amqp://127.0.0.1:9/", prefix, "http://[::1]:9/[/b]", COLUMNS="200")
    async with process("check", environment=settings) as check:
        assert await check.exits() == 1

    assert "http://[::1]:9/[/b]" in "\n".join(check.output)


async def test_a_broker_that_is_away_is_explained_once(prefix: str, given: Given) -> None:
    settings = given("amqp://guest:hidden@127.0.0.1:9/", prefix, "http://127.0.0.1:9")
    async with process("check", "--json", environment=settings) as check:
        assert await check.exits() == 1

    assert said(check, "broker and topology") == (
        "amqp://***@127.0.0.1:9/: nothing listens at the broker address: "
        "check its host and port, and that RabbitMQ is running"
    )
    assert all(line.startswith("{") for line in check.output)


async def test_a_certificate_file_that_is_no_pem_is_named(prefix: str, given: Given) -> None:
    settings = given("amqps://127.0.0.1:9/", prefix, "http://127.0.0.1:9", VIDEOGEN_BROKER__CA_FILE=str(Path(__file__)))
    async with process("check", "--json", environment=settings) as check:
        assert await check.exits() == 1

    assert "VIDEOGEN_BROKER__CA_FILE=" in said(check, "broker and topology")


@pytest.mark.parametrize(("name", "value"), [("SSL_CERT_FILE", "/nope"), ("HTTP_PROXY", "foo://bar")])
async def test_an_environment_that_lets_no_call_out_is_named(name: str, value: str, prefix: str, given: Given) -> None:
    settings = given("amqp://127.0.0.1:9/", prefix, "http://127.0.0.1:9", **{name: value})
    async with process("check", "--json", environment=settings) as check:
        assert await check.exits() == 1

    assert name in said(check, "endpoint")


async def test_what_is_unknown_alone_is_no_failure_and_is_shown_so(broker_url: str, prefix: str, given: Given) -> None:
    async with simulated_endpoint() as simulator:
        settings = given(broker_url, prefix, simulator.base_url, COLUMNS="200")
        async with process("check", environment=settings) as check:
            assert await check.exits() == 0

    assert any("consumer timeout" in line and "unknown" in line for line in check.output)
    assert not any("not ok" in line for line in check.output)


async def test_a_management_api_that_is_away_is_unknown_and_explained(
    broker_url: str, prefix: str, given: Given
) -> None:
    async with simulated_endpoint() as simulator:
        away = "http://guest:hidden@127.0.0.1:9"
        settings = given(broker_url, prefix, simulator.base_url, VIDEOGEN_BROKER__MANAGEMENT_URL=away)
        async with process("check", "--json", environment=settings) as check:
            assert await check.exits() == 0

    assert findings(check)["management API"] is None
    assert "VIDEOGEN_BROKER__MANAGEMENT_URL" in said(check, "management API")
    assert "hidden" not in "\n".join(check.output)


async def test_a_management_api_that_finds_no_queue_makes_the_check_fail(
    broker_url: str, prefix: str, amqp: Amqp, given: Given
) -> None:
    async with simulated_endpoint() as simulator, raw_server(empty_broker(cluster_of(amqp))) as server:
        settings = given(broker_url, prefix, simulator.base_url, VIDEOGEN_BROKER__MANAGEMENT_URL=server.url)
        async with process("check", "--json", environment=settings) as check:
            assert await check.exits() == 1

    assert findings(check)[f"queue {prefix}.requests"] is False


async def test_a_ledger_that_cannot_be_used_is_named(prefix: str, given: Given) -> None:
    settings = given(
        "amqp://127.0.0.1:9/", prefix, "http://127.0.0.1:9", VIDEOGEN_LEDGER__URL="sqlite:////nope/ledger.db"
    )
    async with process("check", "--json", environment=settings) as check:
        assert await check.exits() == 1

    assert findings(check)["ledger"] is False
    assert "/nope" in said(check, "ledger")


async def test_what_a_ledger_would_not_survive_is_unknown(prefix: str, given: Given) -> None:
    settings = given("amqp://127.0.0.1:9/", prefix, "http://127.0.0.1:9", VIDEOGEN_LEDGER__URL="none")
    async with process("check", "--json", environment=settings) as check:
        await check.exits()

    assert findings(check)["ledger"] is None


@pytest.mark.parametrize(("exporter", "ok"), [("none", True), ("jaeger", False)])
async def test_tracing_is_looked_at_where_it_is_on(
    exporter: str,
    ok: bool,  # noqa: FBT001 - a column of the table
    prefix: str,
    given: Given,
) -> None:
    tracing = {"VIDEOGEN_TRACING__ENABLED": "true", "OTEL_TRACES_EXPORTER": exporter}
    settings = given("amqp://127.0.0.1:9/", prefix, "http://127.0.0.1:9", **tracing)
    async with process("check", "--json", environment=settings) as check:
        assert await check.exits() == 1

    assert findings(check)["tracing"] is ok
    assert (f"OTEL_TRACES_EXPORTER={exporter}" in said(check, "tracing")) is not ok
