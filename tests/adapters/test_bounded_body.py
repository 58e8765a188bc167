import gzip
import tracemalloc

import pytest

from service.core.call import Accepted, CallResult, Uncertain
from tests.support.endpoint_calls import ACCEPTED, CALL, outcome_of, serving
from tests.support.raw_server import Peer, answer, answering


async def test_a_body_beyond_the_limit_is_given_up_early() -> None:
    size = 10 * 1024 * 1024
    written = 0

    async def flood(peer: Peer) -> None:
        nonlocal written
        await peer.read_post()
        await peer.send(answer("200 OK", b'{"task_id": "task-1", "pad": "', length=size))
        chunk = b"x" * 65536
        for _ in range(size // len(chunk)):
            await peer.send(chunk)
            written += len(chunk)

    async with serving(flood, response_limit=64 * 1024) as (server, endpoint):
        result = await endpoint.submit(CALL)
        await server.wait_open(0)
        posts = len(server.posts)
    assert isinstance(result, Uncertain)
    # Beside the limit there is what the kernel's buffers on both sides hold.
    assert written < size - 1024 * 1024
    assert posts == 1


async def test_a_body_at_the_limit_is_read() -> None:
    result, _ = await outcome_of(answering(ACCEPTED), response_limit=len(b'{"task_id": "task-1"}'))
    assert result == Accepted("task-1")


async def test_a_packed_bomb_is_never_unpacked_in_full() -> None:
    size = 32 * 1024 * 1024
    data = answer("200 OK", gzip.compress(bytes(size), compresslevel=1), "Content-Encoding: gzip")
    tracemalloc.start()
    try:
        result, _ = await outcome_of(answering(data))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert isinstance(result, Uncertain)
    assert peak < size / 2


@pytest.mark.parametrize(
    ("coding", "body", "expected"),
    [
        ("gzip", gzip.compress(b'{"task_id": "task-1"}'), Accepted),
        ("GZIP", gzip.compress(b'{"task_id": "task-1"}'), Accepted),
        ("identity", b'{"task_id": "task-1"}', Accepted),
        ("gzip", gzip.compress(b'{"task_id": "task-1"}')[:-9], Uncertain),
        ("gzip", gzip.compress(b'{"task_id": "task-1"}' + b" " * 200_000), Uncertain),
        ("gzip", b"not packed", Uncertain),
        ("br", b'{"task_id": "task-1"}', Uncertain),
    ],
    ids=["gzip", "upper case", "identity", "cut", "beyond the limit", "a lie", "unknown"],
)
async def test_a_packed_answer_is_unpacked_within_the_limit(
    coding: str, body: bytes, expected: type[CallResult]
) -> None:
    data = answer("200 OK", body, f"Content-Encoding: {coding}")
    result, posts = await outcome_of(answering(data), response_limit=100_000)
    assert isinstance(result, expected)
    assert posts == 1
