import asyncio
from collections.abc import Callable

import pytest
import uvloop

from service.adapters.refused import is_refused
from service.private_broker.free_ports import free_ports


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_port_on_which_nobody_listens_is_refused_on_every_loop(
    host: str, loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    (port,) = free_ports(1)

    async def connect() -> None:
        with pytest.raises(OSError) as raised:  # noqa: PT011 - each loop has its own words
            await asyncio.open_connection(host, port)
        assert is_refused(raised.value)

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(connect())


@pytest.mark.parametrize(
    "error", [ConnectionResetError(104, "reset"), OSError(113, "no route to host"), TimeoutError()]
)
def test_other_failures_are_not(error: OSError) -> None:
    assert not is_refused(error)


@pytest.mark.parametrize(
    "text",
    [
        "Multiple exceptions: [Errno 111] Connection refused, [Errno 111] Connection refused",
        "Multiple exceptions: [Errno 111] Connect call failed ('::1', 9), [Errno 111] Connect call failed ('::2', 9)",
    ],
)
def test_several_refusals_in_one_exception_are_refused(text: str) -> None:
    assert is_refused(OSError(text))
