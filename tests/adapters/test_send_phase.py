import httpcore
import pytest

from service.adapters.send_phase import Phase, SendPhase

POST = httpcore.Request("POST", "https://api.example/")
CONNECT = httpcore.Request("CONNECT", "http://proxy.example/")


async def phase_after(*events: tuple[str, dict[str, object]]) -> Phase:
    sent = SendPhase()
    sent.handed_over()
    for event, info in events:
        await sent.observe(event, info)
    return sent.phase


def test_a_request_starts_in_the_queue() -> None:
    assert SendPhase().phase is Phase.QUEUED


@pytest.mark.parametrize(
    ("event", "phase"),
    [
        ("connection.connect_tcp.started", Phase.CONNECTING),
        ("connection.connect_tcp.failed", Phase.HANDED_OVER),
        ("connection.start_tls.started", Phase.SECURING),
        ("proxy.start_tls.started", Phase.SECURING),
        ("socks.setup_socks5_connection.started", Phase.HANDED_OVER),
        ("http11.send_request_headers.started", Phase.SENDING),
        ("http2.send_connection_init.started", Phase.SENDING),
        ("http2.send_request_headers.started", Phase.SENDING),
    ],
)
async def test_an_event_tells_the_phase(event: str, phase: Phase) -> None:
    assert await phase_after((event, {"request": POST})) is phase


@pytest.mark.parametrize("event", ["http3.write_frames.started", "something new", ""])
async def test_an_event_nobody_knows_counts_as_sending(event: str) -> None:
    assert await phase_after((event, {})) is Phase.SENDING


async def test_a_request_never_gets_back_to_an_earlier_phase() -> None:
    assert (
        await phase_after(
            ("http11.send_request_headers.started", {"request": POST}), ("connection.connect_tcp.started", {})
        )
        is Phase.SENDING
    )


async def test_asking_a_proxy_for_a_tunnel_sends_nothing_of_the_request() -> None:
    connecting: tuple[str, dict[str, object]] = ("connection.connect_tcp.started", {})
    tunnel: list[tuple[str, dict[str, object]]] = [
        ("http11.send_request_headers.started", {"request": CONNECT}),
        ("http11.send_request_headers.complete", {"return_value": None}),
        ("http11.receive_response_headers.started", {"request": CONNECT}),
        ("http11.response_closed.started", {}),
    ]
    assert await phase_after(connecting, *tunnel) is Phase.TUNNELLING


async def test_a_request_through_the_tunnel_is_sent() -> None:
    tunnel: tuple[str, dict[str, object]] = ("http11.send_request_headers.started", {"request": CONNECT})
    assert await phase_after(tunnel, ("proxy.start_tls.started", {"ssl_context": None})) is Phase.SECURING
    assert await phase_after(tunnel, ("http11.send_request_headers.started", {"request": POST})) is Phase.SENDING


async def test_a_connection_to_another_address_is_a_detour() -> None:
    sent = SendPhase()
    assert sent.detour("api.example", 443) is None
    await sent.observe("connection.connect_tcp.started", {"host": "proxy.example", "port": 3128})
    assert sent.detour("api.example", 443) == "proxy.example:3128"
    assert sent.detour("proxy.example", 3128) is None
