import json

import pytest

from service.adapters.task_query import HttpxTaskQuery
from service.core.task_query import Failed, HeldOff, HeldOffReason, Missing, QueryResult, Succeeded, Unclear, UnderWay
from tests.support.endpoint_calls import KEY, hold, settings
from tests.support.fakes import FakeClock
from tests.support.raw_server import Peer, RawServer, Script, answer, answering, raw_server

UNANSWERED = HeldOff(HeldOffReason.UNANSWERED)
UNDER_WAY = answer("200 OK", b'{"status": "QUEUED"}')


async def asked(script: Script, task_id: str = "task-1", **changes: object) -> tuple[QueryResult, RawServer]:
    async with (
        raw_server(script) as server,
        HttpxTaskQuery(settings(server.url, **changes), FakeClock()) as query,
    ):
        return await query.ask(task_id), server


async def test_a_query_is_one_get_with_the_key_and_no_body() -> None:
    result, server = await asked(answering(UNDER_WAY))
    assert result == UnderWay()
    (request,) = server.posts
    assert request.head.startswith("GET /v2/videos/generations/task-1 HTTP/1.1\r\n")
    assert (request.body, request.headers("Authorization")) == (b"", [f"Bearer {KEY}"])
    assert request.headers("Idempotency-Key") == []


@pytest.mark.parametrize(
    ("task_id", "path"),
    [
        ("video:4711", "video:4711"),
        ("a/b?c#d", "a%2Fb%3Fc%23d"),
        ("50% ä", "50%25%20%C3%A4"),
    ],
)
async def test_whatever_the_task_is_called_it_is_one_part_of_the_path(task_id: str, path: str) -> None:
    _, server = await asked(answering(UNDER_WAY), task_id)
    assert server.posts[0].head.startswith(f"GET /v2/videos/generations/{path} HTTP/1.1\r\n")


@pytest.mark.parametrize(
    ("status", "body", "result"),
    [
        ("200 OK", {"status": "SUCCESS", "data": {"outputs": ["https://a/b"]}}, Succeeded(("https://a/b",))),
        ("200 OK", {"status": "FAILURE", "fail_reason": f"refused for {KEY}"}, Failed("refused for [redacted]")),
        (
            "200 OK",
            {"status": "SUCCESS", "data": {"output": f"https://a/?key={KEY}"}},
            Succeeded(("https://a/?key=[redacted]",)),
        ),
        ("404 Not Found", {"code": "task_not_exist"}, Missing()),
        ("400 Bad Request", {}, Unclear()),
        ("401 Unauthorized", {}, HeldOff(HeldOffReason.DENIED)),
        ("502 Bad Gateway", {}, UNANSWERED),
    ],
)
async def test_an_answer_is_told_by_what_it_says(status: str, body: dict[str, object], result: QueryResult) -> None:
    told, _ = await asked(answering(answer(status, json.dumps(body).encode())))
    assert told == result


async def test_a_refusal_tells_for_how_long() -> None:
    told, _ = await asked(answering(answer("429 Too Many Requests", b"{}", "Retry-After: 7")))
    assert told == HeldOff(HeldOffReason.THROTTLED, 7.0)


async def test_an_answer_that_is_too_long_is_unclear() -> None:
    body = json.dumps({"status": "QUEUED", "padding": "x" * 5000}).encode()
    told, _ = await asked(answering(answer("200 OK", body)), response_limit=1024)
    assert told == Unclear()


async def cut(peer: Peer) -> None:
    await peer.read_post()
    peer.reset()


async def cut_in_the_body(peer: Peer) -> None:
    await peer.read_post()
    await peer.send(answer("200 OK", b'{"status": "SUCC', length=1000))


@pytest.mark.parametrize("script", [cut, cut_in_the_body])
async def test_a_cut_connection_is_no_answer_and_nothing_is_asked_twice(script: Script) -> None:
    told, server = await asked(script)
    assert told == UNANSWERED
    assert len(server.posts) == 1


async def test_an_endpoint_that_hangs_is_given_up_on() -> None:
    told, _ = await asked(hold, timeout=0.2)
    assert told == UNANSWERED


async def test_an_endpoint_that_is_not_there_is_no_answer() -> None:
    async with raw_server(answering()) as gone:
        url = gone.url
    async with HttpxTaskQuery(settings(url), FakeClock()) as query:
        assert await query.ask("task-1") == UNANSWERED


async def test_queries_share_a_connection_of_their_own() -> None:
    async with (
        raw_server(answering(UNDER_WAY, UNDER_WAY)) as server,
        HttpxTaskQuery(settings(server.url), FakeClock()) as query,
    ):
        assert [await query.ask("task-1") for _ in range(2)] == [UnderWay(), UnderWay()]
        assert server.connections == 1
