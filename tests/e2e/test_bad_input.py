"""Bad input: one clear error, one copy for the operator, no call, and the worker goes on."""

import gzip
import json
import struct
from dataclasses import dataclass

import pytest

from service.core.facts import LinkDown, Settled
from tests.e2e.test_requests import replies_of, request
from tests.support.broker import Amqp
from tests.support.raw_publish import publish_raw, short_string, table, timestamp
from tests.support.requester import open_requester
from tests.support.running import running_worker, settings_for, simulated_endpoint


@dataclass(frozen=True)
class Bad:
    name: str
    body: bytes
    code: str
    says: str
    content_encoding: str | None = None


GOOD = {"prompt": "a cat", "model": "wan2.2-t2v-plus"}
BAD = (
    Bad("not UTF-8", b'{"prompt": "\xff\xfe"}', "malformed_message", "UTF-8"),
    Bad("not JSON", b"make me a video", "malformed_message", "JSON"),
    Bad("JSON array", json.dumps([GOOD]).encode(), "malformed_message", "object"),
    Bad("300 KiB", json.dumps({**GOOD, "prompt": "x" * 300 * 1024}).encode(), "malformed_message", "262144"),
    Bad("empty", b"", "malformed_message", "empty"),
    Bad("wrong types", json.dumps({"prompt": 1, "model": [], "seed": "7"}).encode(), "invalid_request", "seed"),
    Bad("unknown field", json.dumps({**GOOD, "promt": "x"}).encode(), "invalid_request", "prompt"),
    Bad("NaN", b'{"prompt": "a", "model": "wan2.2-t2v-plus", "seed": NaN}', "malformed_message", "NaN"),
    Bad("deep nesting", b'{"prompt": ' + b"[" * 50_000 + b"]" * 50_000 + b"}", "malformed_message", "nest"),
    Bad("gzip", gzip.compress(json.dumps(GOOD).encode()), "malformed_message", "gzip", "gzip"),
)


@pytest.mark.pain(12)
@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.name)
async def test_bad_input_gets_one_clear_error_one_dead_copy_and_no_call(
    bad: Bad, broker_url: str, prefix: str, amqp: Amqp
) -> None:
    async with (
        simulated_endpoint() as simulator,
        running_worker(settings_for(broker_url, prefix, simulator.base_url)) as running,
        open_requester(broker_url, prefix) as requester,
    ):
        await requester.send(bad.body, "bad", content_encoding=bad.content_encoding)
        await requester.send(request("a good one"), "good")
        replies = {reply.correlation_id: reply.body for reply in await replies_of(requester, 2)}
        await running.facts.until(lambda: running.worker.intake.in_flight == 0)

        error = replies["bad"]["error"]
        assert (error["code"], error["charged"], error["retryable"]) == (bad.code, "no", False)
        assert bad.says.lower() in json.dumps(error).lower()
        assert replies["good"]["status"] == "submitted"
        assert [post.idempotency_key for post in simulator.record.posts] == ["good"]

    dead = await amqp.channel.get_queue(f"{prefix}.dead")
    copy = await dead.get()
    assert copy is not None
    assert copy.body == bad.body
    assert copy.headers["x-error-code"] == bad.code
    assert copy.headers["x-error-message"] == error["message"]
    assert copy.headers["x-attempts"] == 0
    assert copy.headers["x-request-id"] == "bad"
    assert await dead.get(fail=False) is None
    assert (await amqp.channel.get_queue(f"{prefix}.requests")).declaration_result.message_count == 0


ODD = {
    "an id with line breaks and a snowman": {"message_id": short_string("odd\r\nid ☃".encode())},
    "an id that is not UTF-8": {"message_id": short_string("größe".encode("latin-1"))},
    "a timestamp in nanoseconds": {"timestamp": timestamp(1_790_000_000_000_000_000)},
    "a header name that is not UTF-8": {"headers": table(("größe".encode("latin-1"), b"1"))},
    "a header value that is not UTF-8": {"headers": table((b"size", b"\xff\xfe"))},
}


@pytest.mark.parametrize("properties", ODD.values(), ids=ODD.keys())
async def test_odd_properties_are_answered_over_the_same_connection(
    properties: dict[str, bytes], broker_url: str, prefix: str, amqp: Amqp
) -> None:
    async with (
        simulated_endpoint() as simulator,
        running_worker(settings_for(broker_url, prefix, simulator.base_url)) as running,
    ):
        await publish_raw(amqp.connection, f"{prefix}.requests", request("a cat"), **properties)
        reply = await amqp.receive(f"{prefix}.results")

        body = json.loads(reply.body)
        assert body["status"] == "submitted"
        assert body["request_id"] == reply.correlation_id
        assert running.facts.of(LinkDown) == []


def nested(depth: int) -> bytes:
    inside = b""
    for _ in range(depth):
        inside = short_string(b"a") + b"F" + struct.pack(">I", len(inside)) + inside
    return struct.pack(">I", len(inside)) + inside


UNWRITABLE: dict[str, tuple[bytes, set[str]]] = {
    # How deep the library can read and write depends on the stack; that it must not stop the worker does not.
    "tables nested 450 deep": (nested(450), set()),
    "a table that leaves no room for ours": (
        table(*((f"k{n}".encode(), b"v" * 1000) for n in range(129))),
        {"x-headers-dropped"},
    ),
}


@pytest.mark.parametrize(("headers", "markers"), UNWRITABLE.values(), ids=UNWRITABLE.keys())
async def test_headers_that_cannot_be_written_back_are_dropped_from_the_dead_copy(
    headers: bytes, markers: set[str], broker_url: str, prefix: str, amqp: Amqp
) -> None:
    async with (
        simulated_endpoint() as simulator,
        running_worker(settings_for(broker_url, prefix, simulator.base_url)) as running,
    ):
        await publish_raw(amqp.connection, f"{prefix}.requests", b"{}", headers=headers, message_id=short_string(b"r"))
        copy = await amqp.receive(f"{prefix}.dead")
        await running.facts.wait_for(Settled)

        assert markers <= set(copy.headers)
        assert (copy.headers["x-error-code"], copy.headers["x-request-id"]) == ("invalid_request", "r")
        assert running.facts.of(LinkDown) == []
        assert await amqp.count(f"{prefix}.results") == 1
