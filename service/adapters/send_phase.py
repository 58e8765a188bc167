"""How far a request got, told by the transport itself."""

from collections.abc import Mapping
from enum import IntEnum
from typing import Any


class Phase(IntEnum):
    """How far a request may have got. `SENDING`: a first byte may have left, everything after it included.

    `TUNNELLING`: a proxy was asked for a way to the endpoint, and nothing else.
    """

    QUEUED = 0
    HANDED_OVER = 1
    CONNECTING = 2
    TUNNELLING = 3
    SECURING = 4
    SENDING = 5


_STEPS = {"connect_tcp": Phase.CONNECTING, "start_tls": Phase.SECURING}
_SENDS_NOTHING = frozenset({"setup_socks5_connection", "response_closed"})


class SendPhase:
    """Follows one request through the trace events of httpcore (its documentation: "Request Extensions")."""

    def __init__(self) -> None:
        self.phase = Phase.QUEUED
        self._socket: Any = None
        self._connected_to: tuple[str, int] | None = None

    def handed_over(self) -> None:
        """Note that the transport gets the request now. It has told nothing yet, so nothing is known yet."""
        self.phase = Phase.HANDED_OVER

    async def observe(self, event: str, info: Mapping[str, Any]) -> None:
        """Hear a trace event, such as `http11.send_request_headers.started`.

        An unknown event counts as sending, so that a library that renames its events costs no money.
        """
        _, _, name = event.partition(".")
        step, _, stage = name.partition(".")
        if name == "connect_tcp.started":
            self._connected_to = (str(info.get("host")), int(info.get("port", 0)))
        if name == "connect_tcp.complete":
            self._socket = info.get("return_value")
        if stage in {"complete", "failed"} or step in _SENDS_NOTHING:
            return
        reached = Phase.TUNNELLING if _asks_for_a_tunnel(info) else _STEPS.get(step, Phase.SENDING)
        self.phase = max(self.phase, reached)

    def detour(self, host: str, port: int) -> str | None:
        """Tell host and port of the proxy that the connection went to; None where it was the given server."""
        if self._connected_to is None or self._connected_to == (host, port):
            return None
        return "{}:{}".format(*self._connected_to)

    async def abandon(self) -> None:
        """Close what a cancelled call leaves open: httpcore 1.0 forgets the socket of a cut TLS handshake."""
        if self.phase is Phase.SECURING and self._socket is not None:
            await self._socket.aclose()


def _asks_for_a_tunnel(info: Mapping[str, Any]) -> bool:
    # CONNECT is for the proxy; the paid request follows through the tunnel.
    return getattr(info.get("request"), "method", None) == b"CONNECT"
