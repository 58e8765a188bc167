"""The simulator's own HTTP interface, beside the endpoint: record, summary, release, reset."""

import json
from collections.abc import Callable

from aiohttp import web

from service.simulator.hold import Gate
from service.simulator.record import Record


class Control:
    """Serves `/_sim/…`; no key is asked for."""

    def __init__(self, record: Record, gate: Gate, reset: Callable[[], None]) -> None:
        self._record = record
        self._gate = gate
        self._reset = reset

    def routes(self) -> list[web.RouteDef]:
        """List the routes."""
        return [
            web.get("/_sim/record", self._show_record),
            web.delete("/_sim/record", self._forget),
            web.get("/_sim/summary", self._show_summary),
            web.post("/_sim/release", self._let_go),
        ]

    async def _show_record(self, request: web.Request) -> web.Response:
        key = request.query.get("idempotency_key")
        posts = self._record.posts if key is None else self._record.posts_for(key)
        lines = "".join(json.dumps(post.as_json()) + "\n" for post in posts)
        return web.Response(text=lines, content_type="application/x-ndjson")

    async def _show_summary(self, _: web.Request) -> web.Response:
        return web.json_response(self._record.summary())

    async def _forget(self, _: web.Request) -> web.Response:
        self._reset()
        return web.Response(status=204)

    async def _let_go(self, request: web.Request) -> web.Response:
        for_good = request.query.get("for_good", "false")
        if for_good not in {"true", "false"}:
            raise web.HTTPBadRequest(text=f"for_good is true or false; got {for_good!r}\n")
        return web.json_response({"released": self._gate.release(for_good=for_good == "true")})
