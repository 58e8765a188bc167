"""An endpoint that is no bottleneck: a few lines of HTTP/1.1 on uvloop, in a process of its own.

It reads a POST by its Content-Length, answers `200 {"task_id": ...}` after a fixed latency, and counts. On one core of
an AMD EPYC it answers 70,000 calls a second over 64 connections; each report says what it did on its machine.

A rate limit is the simulator's own token bucket. Other than the simulator's, it can be changed while calls come in, and
calls are counted by API key, so that workers can be told apart.

    GET  /_bench/counts    what was counted
    PUT  /_bench/rate      the new rate limit, in requests per second; empty: none
"""

import argparse
import asyncio
import json
import time
from collections import Counter, defaultdict
from math import ceil
from typing import Final, cast

from typing_extensions import override

from service.simulator.rate_limit import TokenBucket
from tests.bench.fast_loop import run

SLOT: Final = 0.1
"""Seconds that are counted together."""

_REFUSAL = b'{"error":{"message":"too many requests","type":"rate_limit","code":"limit_requests"}}'


class Desk:
    """Takes calls and counts them. `calls` holds accepted and refused ones by API key and slot of time."""

    def __init__(self, latency: float, rate: float | None) -> None:
        self.latency = latency
        self.limit(rate)
        self.calls: dict[str, dict[int, list[int]]] = defaultdict(lambda: defaultdict(lambda: [0, 0]))
        self.accepted: Counter[bytes] = Counter()
        self._last_task = 0

    def limit(self, rate: float | None) -> None:
        self._bucket = None if rate is None else TokenBucket(rate)

    def answer(self, head: bytes) -> bytes:
        now = time.monotonic()
        wait = None if self._bucket is None else self._bucket.take(now)
        slot = self.calls[header(head, b"authorization").decode()][int(now / SLOT)]
        if wait is not None:
            slot[1] += 1
            return response(b"429 Too Many Requests", _REFUSAL, b"Retry-After: %d\r\n" % ceil(wait))
        slot[0] += 1
        self.accepted[header(head, b"idempotency-key")] += 1
        self._last_task += 1
        return response(b"200 OK", b'{"task_id":"5eed0000-0000-4000-8000-%012d"}' % self._last_task)

    def counts(self) -> dict[str, object]:
        return {
            "requests": len(self.accepted),
            "accepted": self.accepted.total(),
            "accepted_more_than_once": sum(times > 1 for times in self.accepted.values()),
            "calls": {
                key: [[slot * SLOT, *counts] for slot, counts in sorted(slots.items())]
                for key, slots in self.calls.items()
            },
        }


class Connection(asyncio.Protocol):
    """One client, one call after the other."""

    def __init__(self, desk: Desk, loop: asyncio.AbstractEventLoop) -> None:
        self._desk = desk
        self._loop = loop
        self._buffer = bytearray()

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    @override
    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = bytes(self._buffer[:end])
            length = header(head, b"content-length") or b"0"
            if header(head, b"transfer-encoding"):
                self._transport.write(response(b"411 Length Required", b"{}", b"Connection: close\r\n"))
                self._transport.close()
                return
            whole = end + 4 + int(length)
            if len(self._buffer) < whole:
                return
            body = bytes(self._buffer[end + 4 : whole])
            del self._buffer[:whole]
            self._take(head, body)

    def _take(self, head: bytes, body: bytes) -> None:
        if head.startswith(b"POST "):
            answer = self._desk.answer(head)
            if self._desk.latency:
                self._loop.call_later(self._desk.latency, self._transport.write, answer)
            else:
                self._transport.write(answer)
        elif head.startswith(b"GET /_bench/counts "):
            self._transport.write(response(b"200 OK", json.dumps(self._desk.counts()).encode()))
        elif head.startswith(b"PUT /_bench/rate "):
            self._desk.limit(float(body) if body else None)
            self._transport.write(response(b"200 OK", b"{}"))
        else:
            self._transport.write(response(b"404 Not Found", b"{}"))


def header(head: bytes, name: bytes) -> bytes:
    """Read one header of a request; empty where it is missing."""
    begin = head.lower().find(b"\r\n" + name + b":")
    if begin < 0:
        return b""
    begin += len(name) + 3
    end = head.find(b"\r\n", begin)
    return head[begin : len(head) if end < 0 else end].strip()


def response(status: bytes, body: bytes, headers: bytes = b"") -> bytes:
    """Write an answer in JSON."""
    return b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%b\r\n%b" % (
        *(status, len(body)),
        *(headers, body),
    )


async def serve(port: int, latency: float, rate: float | None) -> None:
    loop = asyncio.get_running_loop()
    desk = Desk(latency, rate)
    server = await loop.create_server(lambda: Connection(desk, loop), "127.0.0.1", port, backlog=4096)
    async with server:
        await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--latency", type=float, default=0.0)
    parser.add_argument("--rate", type=float)
    arguments = parser.parse_args()
    run(serve(arguments.port, arguments.latency, arguments.rate))


if __name__ == "__main__":
    main()
