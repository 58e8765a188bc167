"""A command in a container, over a WebSocket: the subprotocol `v5.channel.k8s.io` of Kubernetes.

Each message begins with the number of its channel. Source: KEP-4006, and the documents of k8s.io/apimachinery.
"""

import json

from aiohttp import web

from tests.deploy.kubernetes.cluster.containers import Container, Finished
from tests.deploy.kubernetes.cluster.refusals import Unplayed
from tests.deploy.kubernetes.rendering import Manifest

_PROTOCOL = "v5.channel.k8s.io"
_OUTPUT, _ERRORS, _STATUS = b"\x01", b"\x02", b"\x03"


async def answer_over(request: web.Request, container: Container, command: list[str]) -> web.StreamResponse:
    """Run the command, and send what it printed and how it ended.

    Raises:
        Unplayed: the client asks over SPDY.
    """
    if request.headers.get("Upgrade", "").lower() != "websocket":
        raise Unplayed("a command in a pod over SPDY; kubectl 1.31 and newer use a WebSocket")
    socket = web.WebSocketResponse(protocols=(_PROTOCOL,))
    await socket.prepare(request)
    ended = await container.execute(command)
    for channel, text in ((_OUTPUT, ended.output), (_ERRORS, ended.errors)):
        if text:
            await socket.send_bytes(channel + text)
    await socket.send_bytes(_STATUS + json.dumps(_status(ended)).encode())
    await socket.close()
    return socket


def _status(ended: Finished) -> Manifest:
    if ended.status == 0:
        return {"metadata": {}, "status": "Success"}
    return {
        "metadata": {},
        "status": "Failure",
        "reason": "NonZeroExitCode",
        "message": f"command terminated with non-zero exit code {ended.status}",
        "details": {"causes": [{"reason": "ExitCode", "message": str(ended.status)}]},
    }
