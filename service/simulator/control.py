"""The simulator's own HTTP interface, beside the endpoint: record, summary, release, reset, and the switches."""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from aiohttp import web

from service.simulator.hold import Gate
from service.simulator.record import Record
from service.simulator.switches import Switches


class Control:
    """Serves `/_sim/…`; no key is asked for."""

    def __init__(self, record: Record, gate: Gate, switches: Switches, reset: Callable[[], None]) -> None:
        self._record = record
        self._gate = gate
        self._switches = switches
        self._reset = reset

    def routes(self) -> list[web.RouteDef]:
        """List the routes."""
        return [
            web.get("/_sim/record", self._show_record),
            web.delete("/_sim/record", self._forget),
            web.get("/_sim/requests", self._show_requests),
            web.get("/_sim/summary", self._show_summary),
            web.post("/_sim/release", self._let_go),
            web.put("/_sim/key", self._accept_key),
            web.delete("/_sim/key", self._accept_any_key),
            web.put("/_sim/outage", self._begin_outage),
            web.delete("/_sim/outage", self._end_outage),
            web.put("/_sim/query-outage", self._begin_query_outage),
            web.delete("/_sim/query-outage", self._end_query_outage),
            web.put("/_sim/error-rates", self._set_error_rates),
            web.delete("/_sim/error-rates", self._end_error_rates),
        ]

    async def _show_record(self, request: web.Request) -> web.Response:
        key = request.query.get("idempotency_key")
        posts = self._record.posts if key is None else self._record.posts_for(key)
        return _json_lines(post.as_json() for post in posts)

    async def _show_requests(self, request: web.Request) -> web.Response:
        key = request.query.get("idempotency_key")
        return _json_lines(self._record.requests() if key is None else [self._record.request(key)])

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

    async def _accept_key(self, request: web.Request) -> web.Response:
        with _mistakes_answered():
            self._switches.accept_key(await request.text())
        return web.Response(status=204)

    async def _accept_any_key(self, _: web.Request) -> web.Response:
        self._switches.accept_key(None)
        return web.Response(status=204)

    async def _begin_outage(self, request: web.Request) -> web.Response:
        with _mistakes_answered():
            self._switches.begin_outage(await request.text())
        return web.Response(status=204)

    async def _end_outage(self, _: web.Request) -> web.Response:
        self._switches.end_outage()
        return web.Response(status=204)

    async def _begin_query_outage(self, request: web.Request) -> web.Response:
        with _mistakes_answered():
            self._switches.begin_query_outage(await request.text())
        return web.Response(status=204)

    async def _end_query_outage(self, _: web.Request) -> web.Response:
        self._switches.end_query_outage()
        return web.Response(status=204)

    async def _set_error_rates(self, request: web.Request) -> web.Response:
        with _mistakes_answered():
            self._switches.set_error_rates(_shares(await request.text()))
        return web.Response(status=204)

    async def _end_error_rates(self, _: web.Request) -> web.Response:
        self._switches.set_error_rates({})
        return web.Response(status=204)


def _json_lines(values: Iterable[dict[str, object]]) -> web.Response:
    return web.Response(text="".join(json.dumps(value) + "\n" for value in values), content_type="application/x-ndjson")


def _shares(text: str) -> dict[str, float]:
    shares = json.loads(text)
    if not isinstance(shares, dict) or not all(type(share) in {int, float} for share in shares.values()):
        raise ValueError('error rates are a JSON object of faults and shares, for instance {"429": 0.1}')
    return shares


@contextmanager
def _mistakes_answered() -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise web.HTTPBadRequest(text=f"{error}\n") from error
