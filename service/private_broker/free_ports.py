"""TCP ports on loopback that a server can keep across a restart."""

import secrets
import socket

# Below the range from which Linux (32768) and macOS (49152) take the ports of outgoing connections: a client
# that knocks at a stopped server could otherwise be given the server's own port, and block its return.
_RANGE = range(20000, 30000)


def free_ports(count: int) -> tuple[int, ...]:
    """Pick `count` different ports that nobody listens on at the moment.

    Raises:
        OSError: no free port was found.
    """
    found: set[int] = set()
    for _ in range(100 * count):
        port = secrets.choice(_RANGE)
        if _is_free(port):
            found.add(port)
        if len(found) == count:
            return tuple(found)
    raise OSError(f"no {count} free TCP ports between {_RANGE.start} and {_RANGE.stop} on loopback")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As servers do: a port whose last connections are in TIME_WAIT counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
