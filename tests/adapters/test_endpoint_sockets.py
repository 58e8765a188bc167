"""Each fault of a socket: the exact class of its call, and how many POSTs the server saw."""

import asyncio
from collections.abc import Callable

import pytest

from service.adapters.endpoint import HttpxEndpoint
from service.core.call import (
    Accepted,
    Blocked,
    CallResult,
    NotSent,
    NotSentReason,
    RefusedForGood,
    RefusedForNow,
    ResultClass,
    Uncertain,
    UncertainReason,
    result_class,
)
from tests.support.endpoint_calls import ACCEPTED, CALL, hold, outcome_of, serving, settings, submitted
from tests.support.fakes import FakeClock
from tests.support.raw_server import Peer, RawServer, Script, answer, answering, raw_server

HTML = b"<html><h1>Bad Gateway</h1></html>"


@pytest.mark.pain(22)
async def test_a_closed_port_is_not_sent() -> None:
    async with raw_server(hold) as server:
        url = server.url
    result = await submitted(url)
    assert isinstance(result, NotSent)
    assert result.reason is NotSentReason.REFUSED


async def test_a_name_that_does_not_exist_is_not_sent() -> None:
    result = await submitted("http://endpoint.invalid")
    assert isinstance(result, NotSent)
    assert result.reason is NotSentReason.DNS


async def test_tls_against_a_plain_port_is_not_sent() -> None:
    async def plain(peer: Peer) -> None:
        await peer.reader.read(1)
        await peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with raw_server(plain) as server:
        result = await submitted(f"https://127.0.0.1:{server.port}")
    assert isinstance(result, NotSent)
    assert result.reason is NotSentReason.TLS
    assert server.posts == []


async def test_a_tls_handshake_cut_short_is_not_sent() -> None:
    async def cut(peer: Peer) -> None:
        await peer.reader.read(1)
        peer.reset()

    async with raw_server(cut) as server:
        result = await submitted(f"https://127.0.0.1:{server.port}")
    assert isinstance(result, NotSent)
    assert result.reason is NotSentReason.TLS


@pytest.mark.parametrize("limit", ["timeout", "connect_timeout"])
async def test_a_tls_handshake_that_stalls_is_not_sent_and_leaves_no_socket(limit: str) -> None:
    async with raw_server(Peer.gone) as server:
        result = await submitted(f"https://127.0.0.1:{server.port}", **{limit: 0.2})
        await server.wait_open(0)
    assert isinstance(result, NotSent)
    assert result.reason is NotSentReason.CONNECT_TIMEOUT


@pytest.fixture
def through_proxy(monkeypatch: pytest.MonkeyPatch) -> Callable[[RawServer], None]:
    """Make the environment name a proxy for https."""

    def use(proxy: RawServer) -> None:
        for name in ("NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy", "https_proxy"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)

    return use


async def test_a_proxy_that_refuses_the_tunnel_is_not_sent(through_proxy: Callable[[RawServer], None]) -> None:
    async with raw_server(answering(answer("502 Bad Gateway", b""))) as proxy:
        through_proxy(proxy)
        result = await submitted("https://endpoint.invalid")
    assert isinstance(result, NotSent)
    assert proxy.posts[0].head.startswith("CONNECT endpoint.invalid:443 ")


async def test_a_proxy_that_stalls_is_not_sent(through_proxy: Callable[[RawServer], None]) -> None:
    async with raw_server(hold) as proxy:
        through_proxy(proxy)
        result = await submitted("https://endpoint.invalid", timeout=0.3)
    assert isinstance(result, NotSent)
    assert proxy.posts[0].head.startswith("CONNECT endpoint.invalid:443 ")


async def reset_at_once(peer: Peer) -> None:
    peer.reset()


async def reset_after_reading(peer: Peer) -> None:
    await peer.read_post()
    peer.reset()


async def close_after_reading(peer: Peer) -> None:
    await peer.read_post()


async def half_a_status_line(peer: Peer) -> None:
    await peer.read_post()
    await peer.send(b"HTTP/1.1 20")


async def no_http_at_all(peer: Peer) -> None:
    await peer.read_post()
    await peer.send(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")


async def test_a_reset_before_the_request_was_read_is_never_an_answer() -> None:
    result, posts = await outcome_of(reset_at_once)
    # Whether bytes had left is a race that only the client can know of; if any had, it must say so.
    assert result_class(result) in {ResultClass.UNCERTAIN, ResultClass.NOT_SENT}
    assert posts == 0


@pytest.mark.pain(22)
@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (reset_after_reading, UncertainReason.CONNECTION_LOST),
        (close_after_reading, UncertainReason.CONNECTION_LOST),
        (half_a_status_line, UncertainReason.CONNECTION_LOST),
        (no_http_at_all, UncertainReason.CONNECTION_LOST),
    ],
)
async def test_a_request_that_was_read_and_not_answered_is_uncertain(script: Script, reason: UncertainReason) -> None:
    result, posts = await outcome_of(script)
    assert isinstance(result, Uncertain)
    assert result.reason is reason
    assert posts == 1


async def test_a_request_cut_while_it_is_being_read_is_uncertain() -> None:
    async def cut(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        peer.reset()

    result, posts = await outcome_of(cut)
    assert isinstance(result, Uncertain)
    assert posts == 0


async def test_silence_past_the_timeout_is_uncertain() -> None:
    result, posts = await outcome_of(hold, timeout=0.2)
    assert isinstance(result, Uncertain)
    assert result.reason is UncertainReason.TIMEOUT
    assert posts == 1


async def test_an_idle_connection_that_the_server_closed_is_not_used_again() -> None:
    async with serving(answering(ACCEPTED)) as (server, endpoint):
        first = await endpoint.submit(CALL)
        await server.wait_open(0)
        second = await endpoint.submit(CALL)
    assert [first, second] == [Accepted("task-1")] * 2
    assert (server.connections, len(server.posts)) == (2, 2)


@pytest.mark.pain(21)
async def test_a_server_that_drops_the_second_request_of_a_connection_is_uncertain() -> None:
    async def drop_the_second(peer: Peer) -> None:
        await peer.read_post()
        await peer.send(ACCEPTED)
        await peer.read_post()

    async with serving(drop_the_second) as (server, endpoint):
        await endpoint.submit(CALL)
        result = await endpoint.submit(CALL)
    assert isinstance(result, Uncertain)
    assert (server.connections, len(server.posts)) == (1, 2)


def cut_after(data: bytes) -> Script:
    async def script(peer: Peer) -> None:
        await peer.read_post()
        await peer.send(data)

    return script


def stall_after(data: bytes) -> Script:
    async def script(peer: Peer) -> None:
        await peer.read_post()
        await peer.send(data)
        await peer.gone()

    return script


HALVES = [
    ("200 OK", Uncertain),
    ("429 Too Many Requests", RefusedForNow),
    ("400 Bad Request", RefusedForGood),
    ("401 Unauthorized", Blocked),
    ("500 Internal Server Error", Uncertain),
    ("503 Service Unavailable", RefusedForNow),
]


@pytest.mark.parametrize("half", [b"", b'{"task_id": "ta'], ids=["headers only", "half a body"])
@pytest.mark.parametrize(("status", "expected"), HALVES)
async def test_the_status_decides_when_the_body_is_cut(status: str, expected: type[CallResult], half: bytes) -> None:
    result, posts = await outcome_of(cut_after(answer(status, half, length=100)))
    assert isinstance(result, expected)
    assert posts == 1


@pytest.mark.parametrize(("status", "expected"), HALVES)
async def test_the_status_decides_when_the_body_never_ends(status: str, expected: type[CallResult]) -> None:
    result, posts = await outcome_of(stall_after(answer(status, b"{", length=100)), timeout=0.2)
    assert isinstance(result, expected)
    assert posts == 1


async def test_a_retry_after_is_kept_when_the_body_is_cut() -> None:
    result, _ = await outcome_of(cut_after(answer("429 Too Many Requests", b"", "Retry-After: 7", length=9)))
    assert isinstance(result, RefusedForNow)
    assert result.retry_after == 7.0


async def test_a_trickling_answer_ends_with_the_timeout_of_the_whole_call() -> None:
    trickled = 0

    async def trickle(peer: Peer) -> None:
        nonlocal trickled
        await peer.read_post()
        await peer.send(answer("200 OK", b"", length=1_000_000))
        while True:
            try:
                async with asyncio.timeout(0.01):
                    await peer.gone()
                    return
            except TimeoutError:
                await peer.send(b" ")
                trickled += 1

    async with asyncio.timeout(5):
        result, posts = await outcome_of(trickle, timeout=0.3)
    assert trickled > 1
    assert isinstance(result, Uncertain)
    assert result.reason is UncertainReason.UNREADABLE_ANSWER
    assert posts == 1


async def test_cancellation_propagates() -> None:
    async with serving(hold) as (server, endpoint):
        task = asyncio.create_task(endpoint.submit(CALL))
        await server.wait_posts(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await server.wait_open(0)


@pytest.mark.pain(11)
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_two_hundred_rounds_of_cancellation_take_no_connection_away(scheme: str) -> None:
    answers = asyncio.Event()

    async def script(peer: Peer) -> None:
        if not answers.is_set():
            await peer.gone()
        elif scheme == "http":
            await answering(ACCEPTED)(peer)

    async with (
        raw_server(script) as server,
        HttpxEndpoint(settings(f"{scheme}://127.0.0.1:{server.port}"), FakeClock()) as endpoint,
    ):

        async def cut(after: float) -> None:
            # Later and later, so that the cut falls on every step between queueing and waiting for the answer.
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(after):
                    await endpoint.submit(CALL)

        for round_ in range(200):
            step = (round_ % 50) * 0.0001
            await asyncio.gather(*(cut(step + place * 0.0003) for place in range(4)))
        await server.wait_open(0)

        answers.set()
        async with asyncio.timeout(5):
            results = await asyncio.gather(*(endpoint.submit(CALL) for _ in range(4)))
    expected = ResultClass.ACCEPTED if scheme == "http" else ResultClass.NOT_SENT
    assert {result_class(result) for result in results} == {expected}


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(answer("502 Bad Gateway", HTML), Uncertain, id="html 502"),
        pytest.param(answer("200 OK", HTML), Uncertain, id="html 200"),
        pytest.param(answer("200 OK", b'{"task_id": "tas'), Uncertain, id="truncated JSON"),
        pytest.param(answer("200 OK", b"{}"), Uncertain, id="no task id"),
        pytest.param(answer("200 OK", b""), Uncertain, id="no body"),
        pytest.param(answer("204 No Content", b""), Uncertain, id="204"),
        pytest.param(answer("101 Switching Protocols", b""), Uncertain, id="101"),
        pytest.param(b"HTTP/1.0 200 OK\r\n\r\n" + b'{"task_id": "task-1"}', Accepted, id="HTTP/1.0, until close"),
        pytest.param(b"HTTP/1.1 103 Early Hints\r\n\r\n" + ACCEPTED, Accepted, id="early hints"),
    ],
)
async def test_an_odd_answer_is_classified_and_costs_one_post(data: bytes, expected: type[CallResult]) -> None:
    result, posts = await outcome_of(answering(data))
    assert isinstance(result, expected)
    assert posts == 1
