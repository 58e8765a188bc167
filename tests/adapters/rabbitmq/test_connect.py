import asyncio
import gc
import logging
from pathlib import Path

import pytest
import trustme
from aio_pika.connection import make_url

from service.adapters.rabbitmq.configured import link_options_of
from service.adapters.rabbitmq.connect import open_connection
from service.adapters.rabbitmq.droppable import DroppableConnection
from service.adapters.rabbitmq.errors import LinkLost
from service.private_broker.free_ports import free_ports
from service.settings import BrokerSettings
from tests.adapters.rabbitmq.broker_like import connect, server_tls
from tests.support.raw_server import Peer, raw_server


def test_the_options_are_the_settings_of_the_broker() -> None:
    options = link_options_of(BrokerSettings(heartbeat=7.0, connect_timeout=2.0, reconnect_cap=3.0))
    assert (options.heartbeat, options.connect_timeout, options.reconnect_cap) == (7, 2.0, 3.0)
    assert options.certificates.context() is None


async def test_a_failed_try_is_told_by_its_error_alone(caplog: pytest.LogCaptureFixture) -> None:
    (port,) = free_ports(1)
    with caplog.at_level(logging.WARNING), pytest.raises(LinkLost):
        await connect(f"amqp://127.0.0.1:{port}/")
    assert caplog.messages == []


async def test_a_broker_that_never_answers_over_tls_is_given_up(authority: trustme.CA, tmp_path: Path) -> None:
    ca_file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    context = server_tls(authority.issue_cert("127.0.0.1"))
    async with raw_server(Peer.gone, context) as server, asyncio.timeout(10):
        with pytest.raises(LinkLost):
            await connect(f"amqps://127.0.0.1:{server.port}/", ca_file, connect_timeout=0.1)
        await server.wait_open(0)


async def test_an_error_of_whoever_uses_the_connection_passes_and_the_connection_is_closed(broker_url: str) -> None:
    options = link_options_of(BrokerSettings.model_validate({"url": broker_url}))
    with pytest.raises(KeyError):
        async with open_connection(options) as connection:
            raise KeyError
    assert connection.is_closed


def test_a_connection_that_never_came_up_leaves_nothing_behind_when_it_is_collected_outside_of_a_loop(
    recwarn: pytest.WarningsRecorder,
) -> None:
    with asyncio.Runner() as runner:

        async def make() -> DroppableConnection:
            return DroppableConnection(make_url("amqp://127.0.0.1:9/"))

        connection = runner.run(make())
        asyncio.set_event_loop(None)
        del connection
        gc.collect()
    assert [str(warning.message) for warning in recwarn] == []
