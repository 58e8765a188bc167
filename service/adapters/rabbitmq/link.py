"""Keeps one connection with one channel up: connect, set up, watch, and all of it again after a fault."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from aio_pika.abc import AbstractChannel, AbstractConnection

from service.adapters.rabbitmq.connect import LinkOptions, open_connection
from service.adapters.rabbitmq.errors import LinkLost, describe, link_errors
from service.core.facts import LinkDown, LinkRole, LinkUp
from service.core.ports import Observer

_FIRST_RETRY = 0.2
_DEFAULT_FRAME = 131_072


@dataclass(eq=False, slots=True)
class Session:
    """One life of a link, from connect to loss. Whatever belongs to it is void after `ended`."""

    connection: AbstractConnection
    channel: AbstractChannel
    largest_frame: int
    on_end: Callable[["Session"], None]
    ended: asyncio.Future[str] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    _waits: set[asyncio.Timeout] = field(default_factory=set)

    def end(self, reason: str) -> None:
        """End this session; the link makes a new one. A second call changes nothing."""
        if not self.ended.done():
            self.ended.set_result(reason)
            self.on_end(self)
            for wait in self._waits:
                _break_off(wait)

    def lasting(self) -> "SessionWait":
        """Make a wait that lasts no longer than this session."""
        return SessionWait(self._waits, begin_over=self.ended.done())


class SessionWait:
    """A wait that ends with its session: `async with` raises TimeoutError then.

    Not a task of its own for each wait, nor `asyncio.wait`, nor a generator: every result that is published waits here.
    """

    def __init__(self, waits: set[asyncio.Timeout], *, begin_over: bool) -> None:
        self._waits = waits
        self._timeout = asyncio.timeout(0 if begin_over else None)

    async def __aenter__(self) -> Self:
        await self._timeout.__aenter__()
        self._waits.add(self._timeout)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._waits.discard(self._timeout)
        await self._timeout.__aexit__(kind, error, trace)

    def break_off(self) -> None:
        """End the wait before its session ends."""
        _break_off(self._timeout)


def _break_off(wait: asyncio.Timeout) -> None:
    if not wait.expired():
        wait.reschedule(asyncio.get_running_loop().time())


class Link:
    """One connection to the broker, made again whenever it is lost.

    `set_up` is run on every new session before anyone else may use it: the one path to a working link,
    at the start as after a fault. The broker shows the connection under `name`.
    """

    def __init__(
        self,
        role: LinkRole,
        options: LinkOptions,
        set_up: Callable[[Session], Awaitable[None]],
        observer: Observer,
        uniform: Callable[[], float],
        name: str | None = None,
    ) -> None:
        self._role = role
        self._options = options
        self._set_up = set_up
        self._observer = observer
        self._uniform = uniform
        self._name = name or f"videogen-worker {role}"
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
        async with open_connection(self._options, self._name) as connection:
            with link_errors():
                async with asyncio.timeout(self._options.connect_timeout):
                    channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
                session = Session(connection, channel, _largest_frame(connection), on_end=self._withdraw)
                connection.close_callbacks.add(lambda _, error: session.end(describe(error)))
                channel.close_callbacks.add(lambda _, error: session.end(describe(error)))
                await self._set_up(session)
            try:
                yield session
            finally:
                self._withdraw(session)

    def _announce(self, session: Session) -> None:
        if session.ended.done():
            return
        self._current = session
        self._up.set()
        self._observer.notify(LinkUp(self._role, first=not self._was_up))
        self._was_up = True

    def _withdraw(self, session: Session) -> None:
        # An old session may end late, when a new one is current already.
        if self._current is session:
            self._current = None
            self._up.clear()

    def _delay(self, failures: int) -> float:
        ceiling = min(self._options.reconnect_cap, _FIRST_RETRY * 2.0 ** min(failures, 16))
        return ceiling * (0.5 + self._uniform() / 2)


def _largest_frame(connection: AbstractConnection) -> int:
    transport = connection.transport
    tuned = transport.connection.connection_tune.frame_max if transport else None
    # AMQP 0-9-1 section 1.4.2.6: 0 means no limit.
    return tuned or _DEFAULT_FRAME
