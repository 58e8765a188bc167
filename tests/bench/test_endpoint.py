import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.bench.endpoint import Connection, Desk

BODY = b'{"prompt": "a lighthouse"}'


def call(request_id: bytes = b"r", key: bytes = b"k", body: bytes = BODY) -> bytes:
    return (
        b"POST /v2/videos/generations HTTP/1.1\r\nHost: e\r\nauthorization: Bearer %b\r\nIdempotency-Key: %b\r\n"
        b"Content-Length: %d\r\n\r\n%b" % (key, request_id, len(body), body)
    )


class Client:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    async def answer(self) -> tuple[int, bytes, dict[str, object]]:
        async with asyncio.timeout(10):
            head = await self._reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].split()[0])
            body = await self._reader.readexactly(length)
        return int(head.split()[1]), head, json.loads(body)

    async def call(self, wire: bytes) -> tuple[int, bytes, dict[str, object]]:
        self.writer.write(wire)
        return await self.answer()


@asynccontextmanager
async def connected(desk: Desk) -> AsyncIterator[Client]:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(desk, loop), "127.0.0.1", 0)
    async with server:
        client = Client(*await asyncio.open_connection(*server.sockets[0].getsockname()))
        yield client
        client.writer.close()
        await client.writer.wait_closed()


async def test_every_call_on_one_connection_gets_a_task_of_its_own() -> None:
    async with connected(Desk(0.0, None)) as client:
        tasks = {str((await client.call(call()))[2]["task_id"]) for _ in range(3)}
    assert len(tasks) == 3


async def test_a_body_that_comes_in_pieces_is_read_whole() -> None:
    async with connected(Desk(0.0, None)) as client:
        wire = call(body=b"x" * 200_000)
        for piece in (wire[:20], wire[20:300], wire[300:]):
            client.writer.write(piece)
            await client.writer.drain()
        status, _, answer = await client.answer()
        # The next call is read from where the body ended.
        assert (await client.call(call()))[0] == 200
    assert status == 200
    assert "task_id" in answer


async def test_two_calls_in_one_packet_get_two_answers() -> None:
    async with connected(Desk(0.0, None)) as client:
        client.writer.write(call(b"a") + call(b"b"))
        first, second = await client.answer(), await client.answer()
    assert first[2]["task_id"] != second[2]["task_id"]


async def test_a_request_that_is_called_twice_is_counted() -> None:
    desk = Desk(0.0, None)
    async with connected(desk) as client:
        for request_id in (b"a", b"b", b"a"):
            await client.call(call(request_id))
    counts = desk.counts()
    assert (counts["requests"], counts["accepted"], counts["accepted_more_than_once"]) == (2, 3, 1)


async def test_what_is_over_the_limit_is_refused_and_told_when_to_come_again() -> None:
    desk = Desk(0.0, 2.0)
    async with connected(desk) as client:
        answers = [await client.call(call(key=b"one")) for _ in range(3)]
        desk.limit(100.0)
        later = await client.call(call(key=b"two"))
    assert [status for status, _, _ in (*answers, later)] == [200, 200, 429, 200]
    assert b"\r\nRetry-After: 1\r\n" in answers[2][1]
    slots = {key: list(slots.values()) for key, slots in desk.calls.items()}
    assert [sum(column) for column in zip(*slots["Bearer one"], strict=True)] == [2, 1]
    assert slots["Bearer two"] == [[1, 0]]


async def test_a_body_of_unknown_length_is_not_guessed_at() -> None:
    async with connected(Desk(0.0, None)) as client:
        status, _, _ = await client.call(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
    assert status == 411
