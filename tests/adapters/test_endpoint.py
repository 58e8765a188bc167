import json
import ssl
from pathlib import Path

import pytest
import trustme
from pydantic import SecretStr

from service.adapters.endpoint import HttpxEndpoint, idempotency_key
from service.adapters.http_client import EndpointConfigurationError
from service.core.call import Accepted, Blocked, Call, NotSent, NotSentReason, RefusedForGood, Uncertain
from tests.support.endpoint_calls import ACCEPTED, CALL, KEY, REQUEST, outcome_of, serving, settings, submitted
from tests.support.fakes import FakeClock
from tests.support.raw_server import answer, answering, raw_server


async def test_a_call_is_one_post_with_key_body_and_trace() -> None:
    async with serving(answering(ACCEPTED)) as (server, endpoint):
        assert await endpoint.submit(CALL) == Accepted("task-1")
    (post,) = server.posts
    assert post.head.startswith("POST /v2/videos/generations HTTP/1.1\r\n")
    assert json.loads(post.body) == {
        "prompt": "a cat",
        "model": "wan2.2-t2v-plus",
        "size": "832*480",
        "watermark": False,
    }
    for name, value in {
        "Host": f"127.0.0.1:{server.port}",
        "Content-Length": str(len(post.body)),
        "Authorization": f"Bearer {KEY}",
        "Idempotency-Key": "request-1",
        "Content-Type": "application/json",
        "Accept-Encoding": "identity",
        "traceparent": CALL.trace["traceparent"],
    }.items():
        assert post.headers(name) == [value]


async def test_a_base_url_may_have_a_path_and_a_trailing_slash() -> None:
    async with raw_server(answering(ACCEPTED)) as server:
        assert await submitted(f"{server.url}/gateway/") == Accepted("task-1")
    assert server.posts[0].head.startswith("POST /gateway/v2/videos/generations ")


async def test_the_size_separator_is_an_option() -> None:
    async with serving(answering(ACCEPTED), size_separator="x") as (server, endpoint):
        await endpoint.submit(CALL)
    assert json.loads(server.posts[0].body)["size"] == "832x480"


@pytest.mark.parametrize(
    ("request_id", "header"),
    [
        ("0b6f8a52-6b3e-4f2b-9d25-0d8c5b7a3c11", "0b6f8a52-6b3e-4f2b-9d25-0d8c5b7a3c11"),
        ("a b/c:d", "a%20b%2Fc%3Ad"),
        ("x\r\nX-Evil: 1", "x%0D%0AX-Evil%3A%201"),
        ("50%", "50%25"),
        ("видео", "%D0%B2%D0%B8%D0%B4%D0%B5%D0%BE"),
        ("lone \ud800", "lone%20%ED%A0%80"),
        ("", ""),
    ],
)
async def test_any_request_id_travels_as_one_header(request_id: str, header: str) -> None:
    assert idempotency_key(request_id) == header
    async with serving(answering(ACCEPTED)) as (server, endpoint):
        assert await endpoint.submit(Call(request_id, REQUEST, {})) == Accepted("task-1")
    assert server.posts[0].headers("idempotency-key") == [header]
    assert server.posts[0].header("x-evil") is None


async def test_a_cookie_does_not_travel_with_the_next_call() -> None:
    first = answer("200 OK", b'{"task_id": "task-1"}', "Set-Cookie: session=1; Path=/")
    async with serving(answering(first, ACCEPTED)) as (server, endpoint):
        await endpoint.submit(CALL)
        await endpoint.submit(CALL)
    assert [post.header("cookie") for post in server.posts] == [None, None]


async def test_calls_share_a_connection() -> None:
    async with serving(answering(ACCEPTED, ACCEPTED)) as (server, endpoint):
        assert [await endpoint.submit(CALL) for _ in range(2)] == [Accepted("task-1")] * 2
    assert (server.connections, len(server.posts)) == (1, 2)


async def test_a_redirect_is_not_followed() -> None:
    moved = answer("308 Permanent Redirect", b"", "Location: https://elsewhere.example/")
    result, posts = await outcome_of(answering(moved))
    assert isinstance(result, RefusedForGood)
    assert result.answer.message is not None
    assert "VIDEOGEN_ENDPOINT__BASE_URL" in result.answer.message
    assert posts == 1


async def test_a_key_that_the_endpoint_repeats_is_not_passed_on() -> None:
    body = json.dumps({"error": {"message": f"Incorrect API key provided: {KEY}", "code": KEY}}).encode()
    result, _ = await outcome_of(answering(answer("401 Unauthorized", body)))
    assert isinstance(result, Blocked)
    assert KEY not in repr(result)
    assert result.answer.message == "Incorrect API key provided: [redacted]"


async def test_each_call_takes_the_key_that_its_file_holds(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(KEY)
    async with serving(answering(ACCEPTED, ACCEPTED), api_key_file=file) as (server, endpoint):
        await endpoint.submit(CALL)
        file.write_text("sk-rotated-key")
        await endpoint.submit(CALL)
    assert [post.headers("Authorization") for post in server.posts] == [[f"Bearer {KEY}"], ["Bearer sk-rotated-key"]]
    assert server.connections == 1


async def test_neither_the_old_nor_the_new_key_is_passed_on(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("sk-rotated-key")
    body = json.dumps({"error": {"message": f"{KEY} was replaced by sk-rotated-key", "code": ""}}).encode()
    result, _ = await outcome_of(answering(answer("401 Unauthorized", body)), api_key_file=file)
    assert isinstance(result, Blocked)
    assert result.answer.message == "[redacted] was replaced by [redacted]"


async def test_a_key_that_the_library_repeats_is_not_passed_on() -> None:
    # Settings refuse such a key; the library does too, and quotes it.
    result, posts = await outcome_of(answering(ACCEPTED), api_key=SecretStr("sk-with-blank "))
    assert isinstance(result, NotSent | Uncertain)
    assert "Illegal header value" in str(result.answer.message)
    assert "sk-with-blank" not in str(result.answer.message)
    assert posts == 0


@pytest.mark.pain(21)
async def test_an_idle_connection_is_dropped_after_the_keepalive() -> None:
    async with serving(answering(ACCEPTED, ACCEPTED), keepalive=0.0) as (server, endpoint):
        assert [await endpoint.submit(CALL) for _ in range(2)] == [Accepted("task-1")] * 2
    assert server.connections == 2


async def test_a_certificate_is_trusted_when_its_authority_is_in_the_ca_file(
    authority: trustme.CA, tmp_path: Path
) -> None:
    ca_file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    async with raw_server(answering(ACCEPTED), context) as server:
        url = f"https://127.0.0.1:{server.port}"
        assert await submitted(url, ca_file=ca_file) == Accepted("task-1")
        refused = await submitted(url)
    assert isinstance(refused, NotSent)
    assert refused.reason is NotSentReason.TLS


def test_a_base_url_that_the_client_cannot_read_is_refused_at_once() -> None:
    with pytest.raises(EndpointConfigurationError, match="VIDEOGEN_ENDPOINT__BASE_URL"):
        HttpxEndpoint(settings("https://☃.example"), FakeClock())


async def test_a_proxy_that_cannot_be_used_is_refused_before_the_first_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "foo://me:hush@proxy")
    with pytest.raises(EndpointConfigurationError, match="HTTPS_PROXY"):
        await submitted("https://api.example")


async def test_the_status_of_each_answer_is_told_and_nothing_where_there_is_none() -> None:
    told: list[int] = []
    refusal = answer("503 Service Unavailable", b"{}")
    async with (
        raw_server(answering(refusal, ACCEPTED)) as server,
        HttpxEndpoint(settings(server.url), FakeClock(), tell_status=told.append) as endpoint,
        HttpxEndpoint(settings("http://127.0.0.1:9"), FakeClock(), tell_status=told.append) as away,
    ):
        for each in (endpoint, away, endpoint):
            await each.submit(CALL)

    assert told == [503, 200]
