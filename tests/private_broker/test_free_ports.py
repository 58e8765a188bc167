import socket

import pytest

from service.private_broker import free_ports as module
from service.private_broker.free_ports import free_ports


def test_ports_differ() -> None:
    assert len(set(free_ports(20))) == 20


def test_ports_lie_below_those_of_outgoing_connections() -> None:
    assert all(20000 <= port < 30000 for port in free_ports(20))


def test_a_port_in_use_is_not_picked(monkeypatch: pytest.MonkeyPatch) -> None:
    (busy, free) = sorted(free_ports(2))
    monkeypatch.setattr(module, "_RANGE", [busy, free])
    with socket.create_server(("127.0.0.1", busy)):
        assert free_ports(1) == (free,)


def test_no_free_port_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    (busy,) = free_ports(1)
    monkeypatch.setattr(module, "_RANGE", range(busy, busy + 1))
    with socket.create_server(("127.0.0.1", busy)), pytest.raises(OSError, match="no 1 free TCP ports"):
        free_ports(1)
