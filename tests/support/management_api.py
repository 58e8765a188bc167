"""A management API that says what a test wants."""

import json
from collections.abc import Callable

from tests.support.broker import Amqp
from tests.support.raw_server import Peer, Script, answer


def management(tell: Callable[[str], object]) -> Script:
    """Answer each GET below `/api/` with what `tell` gives for the rest of the path, as JSON; 404 for None."""

    async def script(peer: Peer) -> None:
        while True:
            head = (await peer.reader.readuntil(b"\r\n\r\n")).decode()
            said = tell(head.split(" ")[1].removeprefix("/api/"))
            status = "404 Not Found" if said is None else "200 OK"
            await peer.send(answer(status, json.dumps(said).encode()))

    return script


def overview(cluster: str) -> dict[str, str]:
    return {"rabbitmq_version": "4.0.5", "cluster_name": cluster}


def empty_broker(cluster: str) -> Script:
    """Be the API of a cluster that has nothing."""
    return management({"overview": overview(cluster)}.get)


def cluster_of(amqp: Amqp) -> str:
    """Tell the name by which the broker introduced itself."""
    assert amqp.connection.transport is not None
    return str(amqp.connection.transport.connection.server_properties["cluster_name"])
