import json

import pytest
from aio_pika.exceptions import ChannelNotFoundEntity
from pydantic import SecretStr

from service.adapters.consumer_timeout import default_consumer_timeout
from service.adapters.management import ManagementUnavailable, management_api
from tests.support.broker import Amqp
from tests.support.fakes import GUARD
from tests.support.raw_server import Peer, answer, raw_server


def listing(*consumers: object) -> bytes:
    queue = {"type": "classic", "durable": False, "arguments": {}, "consumer_details": consumers}
    return answer("200 OK", json.dumps(queue).encode())


async def ask(amqp: Amqp, url: str, prefix: str) -> int:
    async with management_api(SecretStr(url), "/", None, GUARD) as api:
        return await default_consumer_timeout(amqp.connection, api, prefix)


async def test_a_consumer_of_our_own_is_looked_up_until_it_is_listed(amqp: Amqp, prefix: str) -> None:
    asked: list[str] = []

    async def script(peer: Peer) -> None:
        for data in (listing(), listing({"consumer_timeout": 1_800_000})):
            head = (await peer.reader.readuntil(b"\r\n\r\n")).decode()
            name = head.split(" ")[1].removeprefix("/api/queues/%2F/")
            # Only the connection that declared an exclusive queue may look at it.
            queue = await amqp.channel.declare_queue(name, passive=True)
            assert queue.declaration_result.consumer_count == 1
            asked.append(name)
            await peer.send(data)

    async with raw_server(script) as server:
        assert await ask(amqp, server.url, prefix) == 1_800_000

    assert len(asked) == 2
    assert asked[0].startswith(f"{prefix}.check.")


async def test_the_queue_goes_when_the_answer_is_there(amqp: Amqp, prefix: str) -> None:
    asked: list[str] = []

    async def script(peer: Peer) -> None:
        head = (await peer.reader.readuntil(b"\r\n\r\n")).decode()
        asked.append(head.split(" ")[1].removeprefix("/api/queues/%2F/"))
        await peer.send(listing({"consumer_timeout": 1_800_000}))

    async with raw_server(script) as server:
        await ask(amqp, server.url, prefix)

    with pytest.raises(ChannelNotFoundEntity):
        await amqp.channel.declare_queue(asked[0], passive=True)


async def test_an_api_that_goes_away_is_told(amqp: Amqp, prefix: str) -> None:
    with pytest.raises(ManagementUnavailable):
        await ask(amqp, "http://127.0.0.1:9", prefix)
