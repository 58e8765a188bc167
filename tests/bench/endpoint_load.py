"""What the endpoint does alone: as many calls as a few open connections allow, from a client that does nothing else."""

import asyncio
import time
from typing import cast

from typing_extensions import override

from tests.bench.endpoint_process import EndpointProcess
from tests.bench.job import ENDPOINT_PATH

CONNECTIONS = 64
_BODY = b'{"model":"wan2.2-t2v-plus","prompt":"A lighthouse at dawn","size":"832*480"}'
_CALL = (
    b"POST %b HTTP/1.1\r\nHost: endpoint\r\nAuthorization: Bearer load\r\nIdempotency-Key: load\r\n"
    b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (ENDPOINT_PATH.encode(), len(_BODY), _BODY)
)


class _Caller(asyncio.Protocol):
    """Calls again as soon as it has an answer. One answer fits into one packet."""

    def __init__(self) -> None:
        self.answers = 0

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(_CALL)

    @override
    def data_received(self, data: bytes) -> None:
        self.answers += data.count(b"HTTP/1.1 200 OK")
        self.transport.write(_CALL)


async def calls_per_second(endpoint: EndpointProcess, seconds: float = 2.0) -> float:
    """Measure it."""
    loop = asyncio.get_running_loop()
    began = time.monotonic()
    callers = [(await loop.create_connection(_Caller, "127.0.0.1", endpoint.port))[1] for _ in range(CONNECTIONS)]
    await asyncio.sleep(seconds)
    answers, took = sum(caller.answers for caller in callers), time.monotonic() - began
    for caller in callers:
        caller.transport.abort()
    return answers / took
