import asyncio

import pytest

from service.private_broker.free_ports import free_ports
from service.private_broker.probe import NoAnswerError, server_version, wait_for_version


async def test_a_broker_tells_its_version(broker_url: str) -> None:
    assert (await server_version(broker_url))[0] in "34"


async def test_a_closed_port_is_no_answer() -> None:
    (port,) = free_ports(1)
    with pytest.raises(NoAnswerError):
        await server_version(f"amqp://127.0.0.1:{port}/")


async def test_a_wait_ends_with_its_limit() -> None:
    (port,) = free_ports(1)
    with pytest.raises(NoAnswerError, match="no AMQP answer within 0 s"):
        await wait_for_version(f"amqp://127.0.0.1:{port}/", 0.01)


async def test_a_wait_lasts_until_the_server_is_there(broker_url: str) -> None:
    assert (await wait_for_version(broker_url, 5.0))[0] in "34"


async def test_a_server_of_another_kind_is_no_answer() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(NoAnswerError):
            await server_version(f"amqp://127.0.0.1:{port}/")
