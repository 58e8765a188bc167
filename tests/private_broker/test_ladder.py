from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from service.private_broker import Broker, BrokerKind, NoBrokerError, private_broker
from service.private_broker.broker import PassedOverError, RunningBroker, Say
from service.private_broker.given import VARIABLE
from service.private_broker.ladder import Rung, broker_rungs, first_open


async def fail(error: Exception) -> Broker:
    raise error


def closed(name: str) -> Rung[Broker]:
    @asynccontextmanager
    async def refuse(_say: Say) -> AsyncIterator[Broker]:
        yield await fail(PassedOverError(f"no {name} here"))

    return Rung(name, refuse)


def opening(name: str) -> Rung[Broker]:
    @asynccontextmanager
    async def give(_say: Say) -> AsyncIterator[Broker]:
        yield RunningBroker("amqp://me:secret@127.0.0.1:5672/", BrokerKind.GIVEN, name)

    return Rung(name, give)


async def climb(*rungs: Rung[Broker]) -> tuple[str, list[str]]:
    lines: list[str] = []
    async with first_open(rungs, lines.append) as broker:
        return broker.version, lines


async def test_the_first_open_way_is_taken() -> None:
    version, _ = await climb(opening("first"), opening("second"))
    assert version == "first"


async def test_each_way_passed_over_is_told_with_its_reason() -> None:
    _, lines = await climb(closed("ladder"), closed("rope"), opening("stairs"))
    assert lines[:2] == ["Broker: ladder passed over: no ladder here", "Broker: rope passed over: no rope here"]


async def test_the_broker_in_use_is_told_without_its_password() -> None:
    _, lines = await climb(opening("4.1"))
    assert lines == ["Broker: RabbitMQ 4.1 (4.1) at amqp://127.0.0.1:5672/"]


async def test_a_way_that_was_chosen_and_failed_ends_the_search() -> None:
    @asynccontextmanager
    async def break_down(_say: Say) -> AsyncIterator[Broker]:
        yield await fail(NoBrokerError("broken"))

    with pytest.raises(NoBrokerError, match="broken"):
        await climb(Rung("chosen", break_down), opening("next"))


async def test_a_given_address_comes_before_all_else(broker_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, broker_url)
    lines: list[str] = []
    async with private_broker(lines.append) as broker:
        assert (broker.kind, broker.url) == (BrokerKind.GIVEN, broker_url)
    assert len(lines) == 1


async def test_a_machine_with_nothing_is_told_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no-engine.sock")
    lines: list[str] = []
    with pytest.raises(NoBrokerError) as failure:
        async with first_open(broker_rungs(path=str(tmp_path), usual_places=()), lines.append):
            pass
    assert "sudo apt-get install rabbitmq-server" in str(failure.value)
    assert str(failure.value).splitlines()[-4:] == [
        "  - given address: VIDEOGEN_TEST_AMQP_URL is not set",
        "  - Docker: no Docker engine answers",
        "  - private node: rabbitmq-server is not installed",
        "  - apt-get: this system has no apt-get",
    ]
    assert len(lines) == 4
