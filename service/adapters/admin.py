"""The admin port: `/livez`, `/readyz` and `/metrics` over HTTP (spec section 6)."""

import errno
from types import TracebackType
from typing import Protocol, Self

from aiohttp import web
from aiohttp.typedefs import Handler
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from service.core.readiness import Readiness

_PATHS = ("/livez", "/readyz", "/metrics")


class AdminPortError(Exception):
    """The admin port cannot be opened; the message names the setting to change."""


class Health(Protocol):
    """Knows whether the worker is ready."""

    def ready(self) -> Readiness:
        """Tell whether a request that arrives now would be worked on, and if not, why."""
        ...


class AdminServer:
    """Serves probes and metrics while entered as a context manager.

    `/livez` needs no check of its own: it answers as long as the event loop runs, which is all it says.
    """

    def __init__(self, host: str, port: int, registry: CollectorRegistry, health: Health) -> None:
        self._host = host
        self._port = port
        self._registry = registry
        self._health = health
        self._runner = web.AppRunner(self._application(), access_log=None, shutdown_timeout=1.0)

    @property
    def port(self) -> int:
        """The port that is bound, also where 0 asked for any. Valid while entered."""
        port: int = self._runner.addresses[0][1]
        return port

    async def __aenter__(self) -> Self:
        """Open the port.

        Raises:
            AdminPortError: the port is in use, or must not be opened.
        """
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port).start()
        except OSError as error:
            await self._runner.cleanup()
            raise AdminPortError(_advice(error, self._host, self._port)) from error
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the port."""
        await self._runner.cleanup()

    def _application(self) -> web.Application:
        application = web.Application(middlewares=[_list_paths])
        application.router.add_get("/livez", self._livez)
        application.router.add_get("/readyz", self._readyz)
        application.router.add_get("/metrics", self._metrics)
        return application

    async def _livez(self, _request: web.Request) -> web.Response:
        return web.Response(text="alive\n")

    async def _readyz(self, _request: web.Request) -> web.Response:
        readiness = self._health.ready()
        body = {"ready": readiness.ok, "reasons": readiness.reasons, "details": dict(readiness.details)}
        return web.json_response(body, status=200 if readiness.ok else 503)

    async def _metrics(self, request: web.Request) -> web.Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(self._registry), headers={"Content-Type": content_type})


@web.middleware
async def _list_paths(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPNotFound:
        return web.Response(status=404, text=f"nothing here; try {', '.join(_PATHS)}\n")


def _advice(error: OSError, host: str, port: int) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return (
                f"port {port} on {host} is in use; stop the other process, or set VIDEOGEN_ADMIN__PORT "
                f"to a free port (0: any)"
            )
        case errno.EACCES:
            return f"port {port} may not be opened; set VIDEOGEN_ADMIN__PORT to 1024 or more"
        case _:
            return (
                f"cannot listen on {host} port {port} ({error.strerror}); "
                f"set VIDEOGEN_ADMIN__HOST to an address of this machine, or 0.0.0.0 for all"
            )
