"""Keeps one connection with one channel up: connect, set up, watch, and all of it again after a fault."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection
from pydantic import SecretStr

from service.adapters.rabbitmq.errors import LinkLost, describe, link_errors
from service.core.facts import LinkDown, LinkRole, LinkUp
from service.core.ports import Observer

_FIRST_RETRY = 0.2
_CLOSE_TIMEOUT = 3.0


@dataclass(frozen=True, slots=True)
class LinkOptions:
    """How to reach the broker. All times are seconds; `reconnect_cap` bounds the wait between two tries."""

    url: SecretStr
    heartbeat: int = 10
    connect_timeout: float = 10.0
    reconnect_cap: float = 15.0
    ssl_context: ssl.SSLContext | None = None


@dataclass(eq=False, slots=True)
class Session:
    """One life of a link, from connect to loss. Whatever belongs to it is void after `ended`."""

    connection: AbstractConnection
    channel: AbstractChannel
    on_end: Callable[["Session"], None]
    ended: asyncio.Future[str] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def end(self, reason: str) -> None:
        """End this session; the link makes a new one. A second call changes nothing."""
        if not self.ended.done():
            self.ended.set_result(reason)
            self.on_end(self)


class Link:
    """One connection to the broker, made again whenever it is lost.

    `set_up` is run on every new session before anyone else may use it: the one path to a working link,
    at the start as after a fault.
    """

    def __init__(
        self,
        role: LinkRole,
        options: LinkOptions,
        set_up: Callable[[Session], Awaitable[None]],
        observer: Observer,
        uniform: Callable[[], float],
    ) -> None:
        self._role = role
        self._options = options
        self._set_up = set_up
        self._observer = observer
        self._uniform = uniform
        self._current: Session | None = None
        self._up = asyncio.Event()
        self._was_up = False

    async def session(self) -> Session:
        """Wait for the link to be up and return the session that is current now."""
        while self._current is None:
            await self._up.wait()
        return self._current

    async def run(self) -> None:
        """Keep the link up until cancelled.

        Raises:
            TopologyError: the broker's objects cannot be used; trying again would not help.
        """
        failures = 0
        while True:
            began = asyncio.get_running_loop().time()
            try:
                async with self._connected() as session:
                    self._announce(session)
                    reason = await session.ended
            except LinkLost as lost:
                reason = str(lost)
            # A link that comes up and dies at once must not be made again as fast as it can die.
            lasted = asyncio.get_running_loop().time() - began > self._options.reconnect_cap
            failures = 1 if lasted else failures + 1
            delay = self._delay(failures)
            self._observer.notify(LinkDown(self._role, reason, delay))
            await asyncio.sleep(delay)

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Session]:
        with link_errors():
            async with asyncio.timeout(self._options.connect_timeout):
                connection = await aio_pika.connect(
                    self._options.url.get_secret_value(),
                    heartbeat=self._options.heartbeat,
                    ssl_context=self._options.ssl_context,
                    client_properties={"connection_name": f"videogen-worker {self._role}"},
                )
        try:
            with link_errors():
                async with asyncio.timeout(self._options.connect_timeout):
                    channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
                session = Session(connection, channel, on_end=self._withdraw)
                connection.close_callbacks.add(lambda _, error: session.end(describe(error)))
                channel.close_callbacks.add(lambda _, error: session.end(describe(error)))
                await self._set_up(session)
            yield session
        finally:
            self._withdraw()
            # A frozen broker never answers the close; its socket is given up after a while.
            with suppress(Exception):
                async with asyncio.timeout(_CLOSE_TIMEOUT):
                    await connection.close()

    def _announce(self, session: Session) -> None:
        if session.ended.done():
            return
        self._current = session
        self._up.set()
        self._observer.notify(LinkUp(self._role, first=not self._was_up))
        self._was_up = True

    def _withdraw(self, _: Session | None = None) -> None:
        self._current = None
        self._up.clear()

    def _delay(self, failures: int) -> float:
        ceiling = min(self._options.reconnect_cap, _FIRST_RETRY * 2.0 ** min(failures, 16))
        return ceiling * (0.5 + self._uniform() / 2)
